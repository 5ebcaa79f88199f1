#include "tests/kubernetes-double/certificates.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

#include "tests/kubernetes-double/base64.h"

namespace kubernetes_double {
namespace {

constexpr long kDay = 24 * 3600;

void check(bool done, const char* what) {
  if (done) return;
  throw std::runtime_error(std::string(what) + ": " + ::ERR_error_string(::ERR_get_error(), nullptr));
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  check(key != nullptr, "make a key");
  return key;
}

void set_name(X509* certificate, const std::string& name) {
  check(::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1,
        "name a certificate");
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<::X509_EXTENSION_free>> extension(
      ::X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  check(extension != nullptr, value.c_str());
  check(::X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

Certificate new_certificate(EVP_PKEY* key, const std::string& name, long valid_from_s, long valid_to_s) {
  Certificate certificate(::X509_new());
  check(certificate != nullptr, "make a certificate");
  ::X509_set_version(certificate.get(), X509_VERSION_3);
  // Serial numbers of one authority must differ, and clients may cache by them.
  std::string serial = random_bytes(16);
  serial.front() = 1;
  const std::unique_ptr<BIGNUM, Free<::BN_free>> number(
      ::BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()), static_cast<int>(serial.size()), nullptr));
  check(::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate.get())) != nullptr, "set a serial");
  ::X509_gmtime_adj(X509_getm_notBefore(certificate.get()), valid_from_s);
  ::X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_to_s);
  ::X509_set_pubkey(certificate.get(), key);
  set_name(certificate.get(), name);
  return certificate;
}

std::string with_listen(std::string names, const std::string& listen) {
  if (listen != "127.0.0.1" && listen != "::1") names += ",IP:" + listen;
  return names;
}

}  // namespace

Authority::Authority()
    : key_(new_key()),
      // All have this name, as a cluster that was built anew has: a client must look at the key.
      certificate_(new_certificate(key_.get(), "kubernetes", -kDay, 3650 * kDay)) {
  X509* const self = certificate_.get();
  check(::X509_set_issuer_name(self, ::X509_get_subject_name(self)) == 1, "set the issuer");
  add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(self, self, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign");
  add_extension(self, self, NID_subject_key_identifier, "hash");
  add_extension(self, self, NID_subject_alt_name, "DNS:kubernetes");
  check(::X509_sign(self, key_.get(), ::EVP_sha256()) > 0, "sign");
}

std::string Authority::pem() const {
  const std::unique_ptr<BIO, Free<::BIO_free>> memory(::BIO_new(::BIO_s_mem()));
  check(::PEM_write_bio_X509(memory.get(), certificate_.get()) == 1, "write ca.crt");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(size)};
}

TlsContext Authority::issue(const std::string& names, long valid_from_s, long valid_to_s) const {
  const Key key = new_key();
  const Certificate certificate = new_certificate(key.get(), "kube-apiserver", valid_from_s, valid_to_s);
  X509* const leaf = certificate.get();
  X509* const issuer = certificate_.get();
  check(::X509_set_issuer_name(leaf, ::X509_get_subject_name(issuer)) == 1, "set the issuer");
  add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf, issuer, NID_key_usage, "critical,digitalSignature,keyEncipherment");
  add_extension(leaf, issuer, NID_ext_key_usage, "serverAuth");
  add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always");
  add_extension(leaf, issuer, NID_subject_alt_name, names);
  check(::X509_sign(leaf, key_.get(), ::EVP_sha256()) > 0, "sign");

  TlsContext context(::SSL_CTX_new(::TLS_server_method()));
  check(context != nullptr, "make a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A resumed session would spare the client the look at the certificate, which faults change.
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context.get(), 0);
  ::SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  check(::SSL_CTX_use_certificate(context.get(), leaf) == 1, "use the certificate");
  check(::SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1, "use the key");
  return context;
}

Certificates::Certificates(const std::string& listen) {
  const std::string names = with_listen("IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc", listen);
  good = authority.issue(names, -kDay, 365 * kDay);
  of_stranger = stranger.issue(names, -kDay, 365 * kDay);
  expired = authority.issue(names, -2 * kDay, -kDay);
  of_other_name = authority.issue("DNS:other.example,IP:192.0.2.1", -kDay, 365 * kDay);
}

}  // namespace kubernetes_double
