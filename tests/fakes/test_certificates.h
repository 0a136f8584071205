// A certificate authority for one test run, and a server certificate for this machine.
#pragma once

#include <string>

namespace loglink::fakes {

struct TestCertificates {
  std::string ca_pem;
  std::string certificate_pem;  // localhost and 127.0.0.1
  std::string key_pem;
};

// Valid for a year from now; new keys with each call.
TestCertificates make_test_certificates();

}  // namespace loglink::fakes
