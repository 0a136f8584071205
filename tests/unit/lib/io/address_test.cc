#include "lib/io/address.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace loglink {
namespace {

TEST(ParseServerUrlTest, AcceptsWhatKubeconfigsHold) {
  struct Case {
    std::string url;
    std::string host;
    std::uint16_t port;
    bool tls;
    std::string base_path;
  };
  const std::vector<Case> cases = {
      {"https://10.96.0.1:443", "10.96.0.1", 443, true, ""},
      {"https://api.example.com", "api.example.com", 443, true, ""},
      {"https://api.example.com/", "api.example.com", 443, true, ""},
      {"https://rancher.example.com/k8s/clusters/c-1/", "rancher.example.com", 443, true,
       "/k8s/clusters/c-1"},
      {"https://[fd00::1]:6443", "fd00::1", 6443, true, ""},
      {"https://[::1]", "::1", 443, true, ""},
      {"http://127.0.0.1:8001", "127.0.0.1", 8001, false, ""},
      {"http://localhost", "localhost", 80, false, ""},
      {"localhost:8080", "localhost", 8080, false, ""},
  };
  for (const Case& one : cases) {
    const Expected<Endpoint> endpoint = parse_server_url(one.url);
    ASSERT_TRUE(endpoint) << one.url << ": " << endpoint.error().message;
    EXPECT_EQ(endpoint->host, one.host) << one.url;
    EXPECT_EQ(endpoint->port, one.port) << one.url;
    EXPECT_EQ(endpoint->tls, one.tls) << one.url;
    EXPECT_EQ(endpoint->base_path, one.base_path) << one.url;
    EXPECT_EQ(endpoint->server_name, one.host) << one.url;
    EXPECT_FALSE(endpoint->insecure_skip_verify);
  }
}

TEST(ParseServerUrlTest, RefusesWhatWouldBeAGuess) {
  for (const std::string url :
       {"", "https://", "ftp://host", "https://fd00::1:6443", "https://[fd00::1", "https://[host]",
        "https://host:0", "https://host:65536", "https://host:x", "https://host:", "https://a b",
        "https://host/a?b", "https://host/#f", "https://user@host", "https://host/a\r\nX: y"}) {
    EXPECT_FALSE(parse_server_url(url)) << url;
  }
}

TEST(ParseListenAddressTest, KnowsHostPortAndBarePort) {
  struct Case {
    std::string text;
    std::optional<ListenAddress> expected;
  };
  const std::vector<Case> cases = {
      {":8080", ListenAddress{"", 8080}},
      {"127.0.0.1:9", ListenAddress{"127.0.0.1", 9}},
      {"[::1]:8080", ListenAddress{"::1", 8080}},
      {"[::]:0", ListenAddress{"::", 0}},
      {"localhost:80", ListenAddress{"localhost", 80}},
      {"8080", std::nullopt},
      {"", std::nullopt},
      {"::1:8080", std::nullopt},
      {"[::1]", std::nullopt},
      {":", std::nullopt},
      {":-1", std::nullopt},
      {":70000", std::nullopt},
      {"a b:80", std::nullopt},
  };
  for (const Case& one : cases) {
    const Expected<ListenAddress> parsed = parse_listen_address(one.text);
    ASSERT_EQ(parsed.has_value(), one.expected.has_value()) << one.text;
    if (parsed) {
      EXPECT_EQ(*parsed, *one.expected) << one.text;
    } else {
      EXPECT_NE(parsed.error().message.find("host:port"), std::string::npos);
    }
  }
}

TEST(HostAndPortTest, PutsBracketsAroundIpv6) {
  EXPECT_EQ(host_and_port("::1", 443), "[::1]:443");
  EXPECT_EQ(host_and_port("10.0.0.1", 443), "10.0.0.1:443");
  EXPECT_EQ(host_and_port("api", 1), "api:1");
}

TEST(IsIpAddressTest, TellsAddressesFromNames) {
  EXPECT_TRUE(is_ip_address("10.0.0.1"));
  EXPECT_TRUE(is_ip_address("fd00::1"));
  EXPECT_FALSE(is_ip_address("10.0.0.1.example.com"));
  EXPECT_FALSE(is_ip_address("localhost"));
  EXPECT_FALSE(is_ip_address(""));
}

}  // namespace
}  // namespace loglink
