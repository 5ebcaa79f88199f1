// An HTTPS client for the double's tests: it shows how an answer ended, which a proper client hides.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"
#include "tests/kubernetes-double/certificates.h"

namespace kubernetes_double {

struct Target {
  uint16_t port = 0;
  std::string ca_file;
  std::string address = "127.0.0.1";  // numeric; the certificate must name it
};

// One connection. Every wait ends after kPatience.
class HttpsClient {
 public:
  static constexpr std::chrono::seconds kPatience{10};

  explicit HttpsClient(const Target& target, std::chrono::milliseconds patience = kPatience);

  // Connected, and the certificate is good.
  bool connected() const { return error_.empty(); }
  // Why not: the system's or OpenSSL's reason.
  const std::string& error() const { return error_; }

  // False if the connection is gone.
  bool send(const std::string& target, const std::string& token, const std::string& method = "GET",
            const std::string& body = "");

  // How reading came to an end.
  enum class End { complete, closed, reset, silence };
  struct Response {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    End end = End::complete;

    nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
  };
  // The whole answer, or as much of it as comes.
  Response receive(std::chrono::milliseconds patience = kPatience);
  Response get(const std::string& target, const std::string& token);

  // For watches: the head, then line by line. `end` says why there is none.
  int receive_status(std::chrono::milliseconds patience = kPatience);
  std::optional<std::string> receive_line(End& end, std::chrono::milliseconds patience = kPatience);

 private:
  bool receive_head(const pulse::Deadline& deadline);
  bool read_more(const pulse::Deadline& deadline);
  void decode();

  std::unique_ptr<SSL_CTX, Free<::SSL_CTX_free>> context_;
  pulse::UniqueFd socket_;
  std::unique_ptr<SSL, Free<::SSL_free>> ssl_;
  std::string error_;
  std::string raw_;
  Response response_;
  bool complete_ = false;
  End end_ = End::complete;
};

}  // namespace kubernetes_double
