// Certificates made when the test runs: nothing expires in the repository.
#pragma once

#include <string>

namespace loglink::testing {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;
};

// A CA of its own; no two are the same.
class TestAuthority {
 public:
  TestAuthority();
  [[nodiscard]] const std::string& ca_pem() const { return ca_.certificate_pem; }
  // `subject_alternatives` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1,IP:::1".
  [[nodiscard]] KeyPair issue(const std::string& common_name,
                              const std::string& subject_alternatives) const;

 private:
  KeyPair ca_;
};

}  // namespace loglink::testing
