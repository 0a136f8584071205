#include "lib/io/transport_error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "lib/io/address.h"
#include "lib/io/cpprest_trouble.h"

namespace loglink {
namespace {

using Stage = TransportStage;
using Fault = TransportFault;
using Kind = KubeErrorKind;

const Endpoint& endpoint() {
  static const Endpoint kEndpoint = parse_server_url("https://10.0.0.1:6443").value();
  return kEndpoint;
}

TEST(TransportErrorTest, MapsEachTroubleToOneKindAndOneLine) {
  struct Case {
    TransportTrouble trouble;
    Kind kind;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{Stage::kConnect, Fault::kSystem, ECONNREFUSED, "", false},
       Kind::kRefused,
       "connection refused"},
      {{Stage::kConnect, Fault::kSystem, EHOSTUNREACH, "", false},
       Kind::kRefused,
       "no route to the host"},
      {{Stage::kConnect, Fault::kSystem, ETIMEDOUT, "", false},
       Kind::kConnectTimeout,
       "the other side does not answer any more"},
      {{Stage::kConnect, Fault::kSystem, EMFILE, "", false}, Kind::kRefused, "Too many open files"},
      {{Stage::kHead, Fault::kSystem, ECONNRESET, "", false},
       Kind::kRefused,
       "connection reset by the server or a box between"},
      {{Stage::kHead, Fault::kSystem, ECONNRESET, "", true},
       Kind::kTruncated,
       "connection reset by the server or a box between"},
      {{Stage::kBody, Fault::kSystem, ETIMEDOUT, "", true},
       Kind::kIdleTimeout,
       "the other side does not answer any more"},
      {{Stage::kResolve, Fault::kResolver, 0, "Host not found", false},
       Kind::kDns,
       "the name cannot be resolved: Host not found"},
      {{Stage::kHandshake, Fault::kEnded, 0, "", false},
       Kind::kRefused,
       "the server ended the connection in the TLS handshake"},
      {{Stage::kHead, Fault::kEnded, 0, "", false},
       Kind::kRefused,
       "the server ended the connection without an answer"},
      {{Stage::kBody, Fault::kEnded, 0, "", true}, Kind::kTruncated, "the answer was cut short"},
      {{Stage::kHandshake, Fault::kTls, 0, "bad\ncertificate", false},
       Kind::kTls,
       "TLS: bad\\x0acertificate"},
      {{Stage::kResolve, Fault::kTimeout, 0, "", false},
       Kind::kConnectTimeout,
       "the name could not be resolved in time"},
      {{Stage::kConnect, Fault::kTimeout, 0, "", false},
       Kind::kConnectTimeout,
       "no connection in time"},
      {{Stage::kHandshake, Fault::kTimeout, 0, "", false},
       Kind::kConnectTimeout,
       "the TLS handshake did not end in time"},
      {{Stage::kSend, Fault::kTimeout, 0, "", false},
       Kind::kIdleTimeout,
       "the request could not be sent in time"},
      {{Stage::kHead, Fault::kTimeout, 0, "", false}, Kind::kIdleTimeout, "no answer in time"},
      {{Stage::kBody, Fault::kTimeout, 0, "", true}, Kind::kIdleTimeout, "the answer stalled"},
      {{Stage::kHead, Fault::kDeadline, 0, "", false},
       Kind::kDeadline,
       "deadline passed: no answer in time"},
      {{Stage::kHead, Fault::kProtocol, 0, "bad version", true},
       Kind::kProtocol,
       "the answer is not as HTTP has it: bad version"},
  };
  for (const Case& one : cases) {
    const KubeError error = transport_error(one.trouble, endpoint());
    EXPECT_EQ(error.kind, one.kind) << one.message;
    EXPECT_EQ(error.message, "10.0.0.1:6443: " + one.message);
    EXPECT_EQ(error.http_status, 0);
  }
}

TEST(TransportErrorTest, TellsAStaleConnectionFromARequestThatFailed) {
  struct Case {
    TransportTrouble trouble;
    bool stale;
  };
  const std::vector<Case> cases = {
      {{Stage::kSend, Fault::kSystem, ETIMEDOUT, "", false}, true},
      {{Stage::kSend, Fault::kSystem, EHOSTUNREACH, "", false}, true},
      {{Stage::kSend, Fault::kSystem, EPIPE, "", false}, true},
      {{Stage::kHead, Fault::kSystem, ECONNRESET, "", false}, true},
      {{Stage::kHead, Fault::kEnded, 0, "", false}, true},
      {{Stage::kHead, Fault::kTls, 0, "", false}, true},
      {{Stage::kHead, Fault::kSystem, ETIMEDOUT, "", false}, false},
      {{Stage::kHead, Fault::kSystem, ECONNRESET, "", true}, false},
      {{Stage::kHead, Fault::kEnded, 0, "", true}, false},
      {{Stage::kBody, Fault::kEnded, 0, "", true}, false},
      {{Stage::kSend, Fault::kDeadline, 0, "", false}, false},
      {{Stage::kSend, Fault::kTimeout, 0, "", false}, false},
      {{Stage::kHead, Fault::kProtocol, 0, "", false}, false},
      {{Stage::kConnect, Fault::kSystem, ECONNREFUSED, "", false}, false},
      {{Stage::kHandshake, Fault::kEnded, 0, "", false}, false},
      {{Stage::kHandshake, Fault::kTls, 0, "", false}, false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(is_stale(one.trouble), one.stale) << transport_error(one.trouble, endpoint()).message;
  }
}

TEST(CpprestTroubleTest, TellsFromCodeAndMessageWhatHappened) {
  struct Case {
    int code;
    std::string message;
    std::string certificate;
    Kind kind;
  };
  const std::vector<Case> cases = {
      {1, "Error resolving address", "", Kind::kDns},
      {113, "Failed to connect to any resolved endpoint", "", Kind::kRefused},
      {110, "Failed to connect to any resolved endpoint", "", Kind::kConnectTimeout},
      {337047686, "Error in SSL handshake", "", Kind::kTls},
      {1, "Error in SSL handshake", "not signed", Kind::kTls},
      {104, "Error in SSL handshake", "", Kind::kRefused},
      {2, "Error in SSL handshake", "", Kind::kRefused},
      {110, "Error in SSL handshake", "", Kind::kConnectTimeout},
      {32, "Failed to write request body", "", Kind::kRefused},
      {104, "Failed to write request headers", "", Kind::kRefused},
      {110, "Failed to write request headers", "", Kind::kIdleTimeout},
      {104, "Failed to read HTTP status line", "", Kind::kRefused},
      {103, "Failed to read HTTP status line", "", Kind::kRefused},
      {1, "Failed to read HTTP status line", "", Kind::kRefused},
      {110, "Failed to read HTTP status line", "", Kind::kIdleTimeout},
      {2, "Failed to read chunked response part", "", Kind::kTruncated},
      {1, "Failed to read response body", "", Kind::kTruncated},
      {104, "Failed to read response body", "", Kind::kTruncated},
      {0, "Invalid chunked response header", "", Kind::kProtocol},
      {0, "Invalid HTTP status line", "", Kind::kProtocol},
      {0, "something new", "", Kind::kProtocol},
  };
  for (const Case& one : cases) {
    const TransportTrouble trouble = cpprest_trouble(one.code, one.message, one.certificate);
    EXPECT_EQ(transport_error(trouble, endpoint()).kind, one.kind)
        << one.code << " " << one.message;
  }
}

TEST(CpprestTroubleTest, TellsAStaleConnection) {
  EXPECT_TRUE(is_stale(cpprest_trouble(110, "Failed to write request headers", "")));
  EXPECT_TRUE(is_stale(cpprest_trouble(104, "Failed to read HTTP status line", "")));
  EXPECT_FALSE(is_stale(cpprest_trouble(110, "Failed to read HTTP status line", "")));
  EXPECT_FALSE(is_stale(cpprest_trouble(110, "Failed to connect to any resolved endpoint", "")));
  EXPECT_FALSE(is_stale(cpprest_trouble(104, "Error in SSL handshake", "")));
}

TEST(CpprestTroubleTest, SaysWhyACertificateWasRefused) {
  const KubeError error =
      transport_error(cpprest_trouble(1, "Error in SSL handshake", "it has expired"), endpoint());
  EXPECT_EQ(error.message, "10.0.0.1:6443: TLS: it has expired");
}

}  // namespace
}  // namespace loglink
