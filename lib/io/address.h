// Host, port and URL texts: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/io/credentials.h"

namespace loglink {

struct ListenAddress {
  std::string host;  // "" is every address, IPv6 and IPv4; without brackets
  std::uint16_t port = 0;

  auto operator<=>(const ListenAddress&) const = default;
};

// "host:port", ":port" or "[v6]:port".
Expected<ListenAddress> parse_listen_address(std::string_view text);

// "https://host[:port][/prefix]", "http://…", or a bare "host[:port]" (then http, as kubectl has
// it). Neither user info, query nor fragment. The port is 443 or 80 where the URL has none.
Expected<Endpoint> parse_server_url(std::string_view url);

// An IPv4 or IPv6 address, not a name.
bool is_ip_address(const std::string& host);

// "host:port", with brackets around IPv6.
std::string host_and_port(const std::string& host, std::uint16_t port);

}  // namespace loglink
