#include "lib/io/address.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <optional>

namespace loglink {
namespace {

struct HostPort {
  std::string host;
  std::string_view port;  // "" where there is none
  bool has_colon = false;
};

// nullopt for unbalanced brackets and for IPv6 without brackets, whose port would be a guess.
std::optional<HostPort> split_host_port(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string host(text.substr(1, close - 1));
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    if (inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return HostPort{host, {}, false};
    if (rest.front() != ':') return std::nullopt;
    return HostPort{host, rest.substr(1), true};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{std::string(text), {}, false};
  if (text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;
  return HostPort{std::string(text.substr(0, colon)), text.substr(colon + 1), true};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_host_text(std::string_view host) {
  for (const char c : host) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_' || c == ':';
    if (!good) return false;
  }
  return !host.empty();
}

}  // namespace

Expected<ListenAddress> parse_listen_address(std::string_view text) {
  const std::optional<HostPort> parts = split_host_port(text);
  const std::optional<std::uint16_t> port =
      parts && parts->has_colon ? parse_port(parts->port) : std::nullopt;
  if (!port || (!parts->host.empty() && !is_host_text(parts->host))) {
    return fail(ErrorCode::kInvalidArgument,
                "address \"" + std::string(text) + "\" is not host:port, :port or [IPv6]:port");
  }
  return ListenAddress{parts->host, *port};
}

Expected<Endpoint> parse_server_url(std::string_view url) {
  const std::string shown = "server \"" + std::string(url) + "\"";
  Endpoint endpoint;
  std::string_view rest = url;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) {
    endpoint.tls = false;
  } else {
    const std::string_view scheme = url.substr(0, scheme_end);
    if (scheme != "https" && scheme != "http") {
      return fail(ErrorCode::kInvalidArgument,
                  shown + " is neither an https:// nor an http:// URL");
    }
    endpoint.tls = scheme == "https";
    rest = url.substr(scheme_end + 3);
  }
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  for (const char c : path) {
    if (c <= ' ' || c == '\x7f' || c == '?' || c == '#') {
      return fail(ErrorCode::kInvalidArgument,
                  shown + " has a query, fragment or blank; give host, port and path only");
    }
  }
  const std::optional<HostPort> parts = split_host_port(authority);
  if (!parts || !is_host_text(parts->host)) {
    return fail(ErrorCode::kInvalidArgument,
                shown + " has no valid host (an IPv6 address needs brackets)");
  }
  endpoint.host = parts->host;
  endpoint.port = endpoint.tls ? 443 : 80;
  if (parts->has_colon) {
    const std::optional<std::uint16_t> port = parse_port(parts->port);
    if (!port || *port == 0) {
      return fail(ErrorCode::kInvalidArgument, shown + " has no valid port");
    }
    endpoint.port = *port;
  }
  endpoint.base_path = std::string(path);
  endpoint.server_name = endpoint.host;
  return endpoint;
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace loglink
