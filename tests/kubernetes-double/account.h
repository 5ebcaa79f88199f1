// The service account: the directory that a pod finds below /var/run/secrets/kubernetes.io, and who is let in.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace kubernetes_double {

// Thread-safe.
class Account {
 public:
  // Creates the directory with ca.crt, namespace and a first token.
  static pulse::Result<void> create(Account& account, const std::string& directory,
                                    const std::string& service_namespace, const std::string& ca_pem);

  // Puts a new token in place. The old ones are good for `grace` more.
  pulse::Result<void> rotate(std::chrono::milliseconds grace);

  bool accepts(const std::string& token) const;
  const std::string& service_namespace() const { return namespace_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Old {
    std::string token;
    Clock::time_point until;
  };

  pulse::Result<void> write_files(const std::string& token);

  std::string directory_;
  std::string namespace_;
  std::string ca_pem_;
  mutable std::mutex mutex_;
  std::string token_;
  std::vector<Old> old_;
  int version_ = 0;
};

}  // namespace kubernetes_double
