#include "tests/integration/lib_io/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <memory>
#include <stdexcept>

namespace loglink::testing {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

void require(bool condition) {
  if (!condition) throw std::runtime_error("OpenSSL makes no certificate");
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

// Self-signed without an issuer.
KeyPair make(const std::string& common_name, const std::string& alternatives,
             const KeyPair* issuer) {
  static std::atomic<long> serial{1};
  const Owned<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  require(key != nullptr);
  const Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  std::string text = common_name;
  X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                             reinterpret_cast<unsigned char*>(text.data()), -1, -1, 0);
  Owned<X509> issuer_certificate;
  Owned<EVP_PKEY> issuer_key;
  if (issuer != nullptr) {
    const Owned<BIO> certificate_text(BIO_new_mem_buf(issuer->certificate_pem.data(), -1));
    issuer_certificate.reset(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
    const Owned<BIO> key_text(BIO_new_mem_buf(issuer->key_pem.data(), -1));
    issuer_key.reset(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  }
  X509* const signer = issuer != nullptr ? issuer_certificate.get() : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
  extend(certificate.get(), signer, NID_basic_constraints,
         issuer != nullptr ? "critical,CA:FALSE" : "critical,CA:TRUE");
  if (!alternatives.empty()) {
    extend(certificate.get(), signer, NID_subject_alt_name, alternatives);
  }
  require(X509_sign(certificate.get(), issuer != nullptr ? issuer_key.get() : key.get(),
                    EVP_sha256()) > 0);
  const Owned<BIO> certificate_out(BIO_new(BIO_s_mem()));
  const Owned<BIO> key_out(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(certificate_out.get(), certificate.get()) == 1);
  require(PEM_write_bio_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                   nullptr) == 1);
  return {text_of(certificate_out.get()), text_of(key_out.get())};
}

}  // namespace

TestAuthority::TestAuthority() : ca_(make("test CA", "", nullptr)) {}

KeyPair TestAuthority::issue(const std::string& common_name,
                             const std::string& subject_alternatives) const {
  return make(common_name, subject_alternatives, &ca_);
}

}  // namespace loglink::testing
