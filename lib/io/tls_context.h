// OpenSSL contexts from PEM texts, the same for Beast and cpprestsdk.
#pragma once

#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/io/credentials.h"

// OpenSSL's own names, so that its headers stay in .cc files.
struct ssl_ctx_st;
struct ssl_st;

namespace loglink {

// Puts CA (that one only; the system's where none is named), client certificate, TLS 1.2 as the
// lowest version and the check of the server's certificate into `context`. The error names the
// kubeconfig key that is wrong.
Expected<void> configure_tls_context(ssl_ctx_st* context, const Endpoint& endpoint,
                                     const TlsMaterial& material);

// A new client context; shared by connections, which each take a reference.
Expected<std::shared_ptr<ssl_ctx_st>> make_tls_context(const Endpoint& endpoint,
                                                       const TlsMaterial& material);

// Makes a context only when the material has changed, so that connections share one.
class TlsContextCache {
 public:
  // Null for a plain endpoint.
  Expected<std::shared_ptr<ssl_ctx_st>> get(const Endpoint& endpoint, CredentialSource& credentials,
                                            MonotonicTime now);

 private:
  TlsMaterial material_;
  std::shared_ptr<ssl_ctx_st> context_;
};

// The name to check and to send (SNI; not for an IP address). False when OpenSSL refuses it.
bool configure_tls_connection(ssl_st* connection, const Endpoint& endpoint);

// Why the server's certificate was refused, for a person; "" when it was not.
std::string certificate_trouble(const ssl_st* connection, const Endpoint& endpoint);

}  // namespace loglink
