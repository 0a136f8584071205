#include "lib/io/system_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "lib/io/process.h"
#include "tests/integration/lib_io/test_certificates.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;

int authorities_of(SSL_CTX* context) {
  const auto* const objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  return sk_X509_OBJECT_num(objects);
}

std::shared_ptr<SSL_CTX> make_context() { return {SSL_CTX_new(TLS_client_method()), SSL_CTX_free}; }

std::string variables_of_a_child() {
  ProcessRequest request;
  request.command = "sh";
  request.arguments = {"-c", "echo \"${SSL_CERT_FILE-unset} ${SSL_CERT_DIR-unset}\""};
  request.timeout = std::chrono::seconds(10);
  request.output_bytes_max = 1000;
  return run_process(request)->output;
}

// One test: what is hidden stays so for the rest of the process.
TEST(SystemTrust, IsHiddenFromOpenSslAndNotFromUsNorFromChildren) {
  std::string directory = (fs::temp_directory_path() / "loglink-trust-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string file = directory + "/authorities.pem";
  std::ofstream(file) << testing::TestAuthority().ca_pem() << testing::TestAuthority().ca_pem();
  ::setenv("SSL_CERT_FILE", file.c_str(), 1);
  ::unsetenv("SSL_CERT_DIR");
  const auto before = make_context();
  SSL_CTX_set_default_verify_paths(before.get());
  ASSERT_EQ(authorities_of(before.get()), 2);

  hide_system_trust();
  hide_system_trust();  // more calls do nothing

  const auto by_default = make_context();
  EXPECT_EQ(SSL_CTX_set_default_verify_paths(by_default.get()), 1);
  EXPECT_EQ(authorities_of(by_default.get()), 0);
  const auto ours = make_context();
  trust_system(ours.get());
  EXPECT_EQ(authorities_of(ours.get()), 2);
  EXPECT_EQ(variables_of_a_child(), file + " unset\n");
  fs::remove_all(directory);
}

}  // namespace
}  // namespace loglink
