// The certificate authorities that this machine trusts, for servers whose kubeconfig names none.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

// OpenSSL's own name, so that its headers stay in .cc files.
struct ssl_ctx_st;

namespace loglink {

// SSL_CERT_FILE and SSL_CERT_DIR, or what OpenSSL was built with; where there is none of these, as
// in our images, the file that distributions keep.
void trust_system(ssl_ctx_st* context);

// From now on OpenSSL by itself finds no authorities: cpprestsdk has it read all of them for each
// connection, a tenth of a second of CPU on its only thread, and then trusts others. trust_system()
// finds them still. It changes the environment, so: before any thread is started.
void hide_system_trust();

// What hide_system_trust() has changed, as it was: nullopt where there was no such variable. A
// child process gets these.
const std::vector<std::pair<std::string, std::optional<std::string>>>& hidden_variables();

}  // namespace loglink
