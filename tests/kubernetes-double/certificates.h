// Certificate authorities and server certificates, made in memory at start.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace kubernetes_double {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<::EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<::X509_free>>;
using TlsContext = std::unique_ptr<SSL_CTX, Free<::SSL_CTX_free>>;

// OpenSSL's failures here are exceptions: the program can't start then.
class Authority {
 public:
  Authority();

  // What clients trust: ca.crt.
  std::string pem() const;

  // A server with a new certificate for `names` ("IP:127.0.0.1,DNS:localhost"), valid from one instant to another,
  // in seconds from now.
  TlsContext issue(const std::string& names, long valid_from_s, long valid_to_s) const;

 private:
  Key key_;
  Certificate certificate_;
};

// The server's certificate and the ones that clients must refuse.
struct Certificates {
  // `listen` is the address that clients connect to.
  explicit Certificates(const std::string& listen);

  Authority authority;
  Authority stranger;
  TlsContext good;
  TlsContext of_stranger;
  TlsContext expired;
  TlsContext of_other_name;
};

}  // namespace kubernetes_double
