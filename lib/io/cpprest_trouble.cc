#include "lib/io/cpprest_trouble.h"

#include <array>
#include <cerrno>
#include <string_view>

namespace loglink {
namespace {

struct Phrase {
  std::string_view beginning;
  TransportStage stage;
  bool answer_begun;
};

// The messages of cpprestsdk 2.10.18, http_client_asio.cpp.
constexpr std::array<Phrase, 9> kPhrases{{
    {"Error resolving address", TransportStage::kResolve, false},
    {"Failed to connect", TransportStage::kConnect, false},
    {"Error in SSL handshake", TransportStage::kHandshake, false},
    {"Failed to write", TransportStage::kSend, false},
    {"Failed to read HTTP status line", TransportStage::kHead, false},
    {"Failed to read HTTP header", TransportStage::kHead, true},
    {"Failed to read chunked", TransportStage::kBody, true},
    {"Failed to read response body", TransportStage::kBody, true},
    {"Invalid chunked response header", TransportStage::kBody, true},
}};

// asio::error::eof and asio::ssl::error::stream_truncated, whose categories are lost.
bool is_end(int code) { return code == 2 || code == 1 || code == ECONNABORTED; }

}  // namespace

TransportTrouble cpprest_trouble(int code, const std::string& message,
                                 const std::string& certificate) {
  TransportTrouble trouble{TransportStage::kHead, TransportFault::kProtocol, 0, message, true};
  for (const Phrase& phrase : kPhrases) {
    if (message.rfind(phrase.beginning, 0) != 0) continue;
    trouble = {phrase.stage, TransportFault::kSystem, code, "", phrase.answer_begun};
    break;
  }
  if (trouble.fault == TransportFault::kProtocol) return trouble;
  if (trouble.stage == TransportStage::kResolve) {
    trouble.fault = TransportFault::kResolver;
    trouble.system_errno = 0;
  } else if (trouble.stage == TransportStage::kHandshake && (!certificate.empty() || code > 4095)) {
    trouble.fault = TransportFault::kTls;  // an OpenSSL number is no errno
    trouble.system_errno = 0;
    trouble.detail = certificate.empty() ? message : certificate;
  } else if (code == ETIMEDOUT && trouble.stage != TransportStage::kConnect &&
             trouble.stage != TransportStage::kSend) {
    trouble.fault = TransportFault::kTimeout;
    trouble.system_errno = 0;
  } else if (trouble.stage == TransportStage::kConnect && code == EHOSTUNREACH) {
    // It replaces "refused" by this code, and most often it was that.
    trouble.system_errno = ECONNREFUSED;
    trouble.detail = "the host or its port may be wrong";
  } else if (message == "Invalid chunked response header") {
    trouble.fault = TransportFault::kProtocol;
    trouble.system_errno = 0;
    trouble.detail = message;
  } else if (is_end(code)) {
    trouble.fault = TransportFault::kEnded;
    trouble.system_errno = 0;
  }
  return trouble;
}

}  // namespace loglink
