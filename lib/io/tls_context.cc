#include "lib/io/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "lib/io/address.h"
#include "lib/io/system_trust.h"

namespace loglink {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> reader(const std::string& pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Never asks: a key with a passphrase is an error, not a prompt on a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return 0; }

Owned<X509> next_certificate(BIO* bio) {
  return Owned<X509>(PEM_read_bio_X509(bio, nullptr, no_passphrase, nullptr));
}

Expected<void> trust_only(SSL_CTX* context, const std::string& ca_pem) {
  Owned<X509_STORE> store(X509_STORE_new());
  const Owned<BIO> bio = reader(ca_pem);
  int count = 0;
  while (const Owned<X509> certificate = next_certificate(bio.get())) {
    X509_STORE_add_cert(store.get(), certificate.get());
    ++count;
  }
  ERR_clear_error();  // the end of the text is an error for OpenSSL
  if (count == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "certificate-authority holds no PEM certificate; give the cluster's CA");
  }
  SSL_CTX_set_cert_store(context, store.release());
  return {};
}

Expected<void> use_client_certificate(SSL_CTX* context, const TlsMaterial& material) {
  const Owned<BIO> bio = reader(material.certificate_pem);
  const Owned<X509> leaf = next_certificate(bio.get());
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::kInvalidArgument, "client-certificate holds no PEM certificate");
  }
  SSL_CTX_clear_chain_certs(context);
  while (const Owned<X509> intermediate = next_certificate(bio.get())) {
    SSL_CTX_add1_chain_cert(context, intermediate.get());
  }
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(reader(material.key_pem).get(), nullptr, no_passphrase, nullptr));
  if (!key) {
    ERR_clear_error();
    return fail(ErrorCode::kInvalidArgument,
                "client-key holds no PEM private key without a passphrase");
  }
  const bool fits =
      SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
  ERR_clear_error();
  if (!fits) {
    return fail(ErrorCode::kInvalidArgument, "client-key does not belong to client-certificate");
  }
  return {};
}

}  // namespace

Expected<void> configure_tls_context(ssl_ctx_st* context, const Endpoint& endpoint,
                                     const TlsMaterial& material) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, endpoint.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                     nullptr);
  if (material.ca_pem.empty()) {
    trust_system(context);
  } else {
    LOGLINK_TRY(trust_only(context, material.ca_pem));
  }
  if (!material.certificate_pem.empty()) LOGLINK_TRY(use_client_certificate(context, material));
  return {};
}

Expected<std::shared_ptr<ssl_ctx_st>> make_tls_context(const Endpoint& endpoint,
                                                       const TlsMaterial& material) {
  const std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!context) return fail(ErrorCode::kInternal, "OpenSSL makes no context");
  LOGLINK_TRY(configure_tls_context(context.get(), endpoint, material));
  return context;
}

Expected<std::shared_ptr<ssl_ctx_st>> TlsContextCache::get(const Endpoint& endpoint,
                                                           CredentialSource& credentials,
                                                           MonotonicTime now) {
  if (!endpoint.tls) return nullptr;
  LOGLINK_ASSIGN_OR_RETURN(TlsMaterial material, credentials.tls(now));
  if (!context_ || material != material_) {
    LOGLINK_ASSIGN_OR_RETURN(context_, make_tls_context(endpoint, material));
    material_ = std::move(material);
  }
  return context_;
}

bool configure_tls_connection(ssl_st* connection, const Endpoint& endpoint) {
  const std::string& name = endpoint.server_name;
  if (is_ip_address(name)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name.c_str()) == 1;
  }
  // SSL_ctrl is what the macro SSL_set_tlsext_host_name stands for, without its C cast.
  std::string sni = name;
  return SSL_set1_host(connection, name.c_str()) == 1 &&
         SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  sni.data()) == 1;
}

std::string certificate_trouble(const ssl_st* connection, const Endpoint& endpoint) {
  const long result = SSL_get_verify_result(connection);
  switch (result) {
    case X509_V_OK:
      return "";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the server's certificate is not signed by the configured CA "
             "(certificate-authority)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the server's certificate is not for \"" + endpoint.server_name +
             "\" (tls-server-name)";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate has expired, or this machine's clock is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid yet, or this machine's clock is wrong";
    default:
      return std::string("the server's certificate is refused: ") +
             X509_verify_cert_error_string(result);
  }
}

}  // namespace loglink
