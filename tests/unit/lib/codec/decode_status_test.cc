#include <gmock/gmock.h>

#include "lib/codec/kube_json.h"
#include "tests/unit/lib/codec/golden.h"

namespace loglink {
namespace {

using std::chrono::seconds;

struct Recorded {
  std::string file;
  int status;
  KubeErrorKind kind;
  std::string reason;
};

class RecordedErrors : public testing::TestWithParam<Recorded> {};

TEST_P(RecordedErrors, HaveTheirKind) {
  const Recorded& recorded = GetParam();
  const KubeError error = decode_error(recorded.status, "application/json", golden(recorded.file));
  EXPECT_EQ(to_string(error.kind), to_string(recorded.kind));
  EXPECT_EQ(error.http_status, recorded.status);
  EXPECT_EQ(error.reason, recorded.reason);
  EXPECT_FALSE(error.message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, RecordedErrors,
    testing::Values(
        Recorded{"status-401.json", 401, KubeErrorKind::kUnauthorized, "Unauthorized"},
        Recorded{"status-403-anonymous.json", 403, KubeErrorKind::kForbidden, "Forbidden"},
        Recorded{"status-403-policy.json", 403, KubeErrorKind::kForbidden, "Forbidden"},
        Recorded{"status-403-rbac.json", 403, KubeErrorKind::kForbidden, "Forbidden"},
        Recorded{"status-404.json", 404, KubeErrorKind::kNotFound, "NotFound"},
        Recorded{"status-409-conflict.json", 409, KubeErrorKind::kConflict, "Conflict"},
        Recorded{"status-409-lease.json", 409, KubeErrorKind::kConflict, "Conflict"},
        Recorded{"status-409-exists.json", 409, KubeErrorKind::kAlreadyExists, "AlreadyExists"},
        Recorded{"status-410-continue.json", 410, KubeErrorKind::kGone, "Expired"},
        Recorded{"status-410-list.json", 410, KubeErrorKind::kGone, "Expired"},
        Recorded{"status-415.json", 415, KubeErrorKind::kUnexpected, "UnsupportedMediaType"},
        Recorded{"status-422-invalid-cr.json", 422, KubeErrorKind::kInvalid, "Invalid"},
        Recorded{"status-422-uid.json", 422, KubeErrorKind::kInvalid, "Invalid"},
        Recorded{"status-422-watchlist-disabled.json", 422, KubeErrorKind::kInvalid, "Invalid"},
        Recorded{"status-422-watchlist-no-match.json", 422, KubeErrorKind::kInvalid, "Invalid"},
        Recorded{"list-504-too-large-rv.json", 504, KubeErrorKind::kTooLargeVersion, "Timeout"}),
    [](const auto& param_info) {
      std::string name;
      for (const char c : param_info.param.file) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
      }
      return name;
    });

struct Made {
  std::string what;
  int status;
  std::string content_type;
  std::string body;
  KubeErrorKind kind;
  std::string message;
};

TEST(DecodeErrorTest, BodiesThatAreNoStatusAreToldByTheirCode) {
  const std::vector<Made> cases = {
      {"the group is not there", 404, "text/plain; charset=utf-8", "404 page not found\n",
       KubeErrorKind::kNotServed, "HTTP 404: 404 page not found"},
      {"overload", 429, "text/plain; charset=utf-8", "Too many requests, please try again later.\n",
       KubeErrorKind::kTooManyRequests, "HTTP 429: Too many requests, please try again later."},
      {"a proxy's page", 502, "text/html", "<html>{}</html>", KubeErrorKind::kServerError,
       "HTTP 502"},
      {"nothing", 500, "", "", KubeErrorKind::kServerError, "HTTP 500"},
      {"another JSON", 503, "application/json", "{\"kind\":\"Pod\"}", KubeErrorKind::kServerError,
       "HTTP 503"},
      {"a JSON list", 503, "application/json", "[{}]", KubeErrorKind::kServerError, "HTTP 503"},
      {"a Status of wrong types", 404, "application/json",
       R"({"kind":"Status","details":{"name":5}})", KubeErrorKind::kNotServed, "HTTP 404"},
      {"control characters", 400, "text/plain", "bad\x1b[31mvalue", KubeErrorKind::kInvalid,
       "HTTP 400: bad\\x1b[31mvalue"},
      {"a gateway's timeout", 504, "application/json",
       R"({"kind":"Status","message":"request timed out","reason":"Timeout","code":504})",
       KubeErrorKind::kServerError, "request timed out"},
      {"a Status that names nothing", 404, "application/json",
       R"({"kind":"Status","message":"the server could not find the requested resource",)"
       R"("reason":"NotFound","details":{},"code":404})",
       KubeErrorKind::kNotServed, "the server could not find the requested resource"},
      {"a redirect", 302, "text/html", "", KubeErrorKind::kUnexpected, "HTTP 302"},
  };
  for (const Made& made : cases) {
    SCOPED_TRACE(made.what);
    const KubeError error = decode_error(made.status, made.content_type, made.body);
    EXPECT_EQ(to_string(error.kind), to_string(made.kind));
    EXPECT_EQ(error.http_status, made.status);
    EXPECT_EQ(error.message, made.message);
  }
}

TEST(DecodeErrorTest, AProtobufBodyIsRead) {
  const KubeError error =
      decode_error(406, "application/vnd.kubernetes.protobuf", golden("status-406.pb"));
  EXPECT_EQ(error.kind, KubeErrorKind::kUnexpected);
  EXPECT_EQ(error.message,
            "only the following media types are accepted: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf");
}

TEST(DecodeErrorTest, CausesTellARecreatedPodFromAPolicy) {
  const KubeError recreated = decode_error(422, "application/json", golden("status-422-uid.json"));
  ASSERT_EQ(recreated.causes.size(), 2U);
  EXPECT_EQ(recreated.causes[0].field, "metadata.uid");
  EXPECT_EQ(recreated.causes[0].reason, "FieldValueInvalid");

  const KubeError policy = decode_error(403, "application/json", golden("status-403-policy.json"));
  ASSERT_EQ(policy.causes.size(), 1U);
  EXPECT_EQ(policy.causes[0].field, "");
  EXPECT_THAT(policy.causes[0].message, testing::HasSubstr("may not write NodeLinkSet node-b"));
}

TEST(DecodeErrorTest, ACauseNamesTheSourceThatTheServerRejects) {
  const KubeError error =
      decode_error(422, "application/json", golden("status-422-invalid-cr.json"));
  ASSERT_EQ(error.causes.size(), 1U);
  EXPECT_EQ(error.causes[0].field, "spec.sources[0].path");
}

TEST(DecodeErrorTest, RetryAfterOfTheDetailsIsBounded) {
  EXPECT_EQ(decode_error(504, "application/json", golden("list-504-too-large-rv.json")).retry_after,
            seconds(1));
  EXPECT_EQ(decode_error(429, "application/json",
                         R"({"kind":"Status","details":{"retryAfterSeconds":2000000000}})")
                .retry_after,
            seconds(10));
  EXPECT_EQ(decode_error(404, "application/json", golden("status-404.json")).retry_after,
            std::nullopt);
}

TEST(DecodeErrorTest, MessagesAreOneBoundedPrintableLine) {
  const std::string body =
      R"({"kind":"Status","message":"a\nb\u0000)" + std::string(4000, 'x') + R"(","code":500})";
  const KubeError error = decode_error(500, "application/json", body);
  EXPECT_LE(error.message.size(), 512U);
  EXPECT_TRUE(error.message.starts_with("a\\x0ab\\x00xxx")) << error.message;
}

}  // namespace
}  // namespace loglink
