#include "tests/kubernetes-double/account.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/kubernetes-double/base64.h"

namespace kubernetes_double {
namespace {

namespace fs = std::filesystem;

// As long as a real one (some 1,000 characters), so that no client gets away with a small buffer.
std::string new_token(const std::string& service_namespace) {
  const auto now = std::time(nullptr);
  const nlohmann::ordered_json header = {{"alg", "RS256"}, {"kid", base64url(random_bytes(32))}};
  const nlohmann::ordered_json payload = {
      {"aud", {"https://kubernetes.default.svc.cluster.local"}},
      {"exp", now + 3607},
      {"iat", now},
      {"iss", "https://kubernetes.default.svc.cluster.local"},
      {"jti", random_uuid()},
      {"kubernetes.io",
       {{"namespace", service_namespace},
        {"node", {{"name", "node-1"}, {"uid", random_uuid()}}},
        {"pod", {{"name", "proxysql-satellite-7d9f8b6c5d-x2x7k"}, {"uid", random_uuid()}}},
        {"serviceaccount", {{"name", "proxysql"}, {"uid", random_uuid()}}},
        {"warnafter", now + 3607}}},
      {"nbf", now},
      {"sub", "system:serviceaccount:" + service_namespace + ":proxysql"}};
  return base64url(header.dump()) + "." + base64url(payload.dump()) + "." + base64url(random_bytes(256));
}

}  // namespace

pulse::Result<void> Account::create(Account& account, const std::string& directory,
                                    const std::string& service_namespace, const std::string& ca_pem) {
  account.directory_ = directory;
  account.namespace_ = service_namespace;
  account.ca_pem_ = ca_pem;
  return account.rotate(std::chrono::milliseconds(0));
}

// As the kubelet does it (pkg/volume/util/atomic_writer.go): the files are links into ..data, ..data is a link to a
// directory with a time in its name, and one rename of that link changes them all.
pulse::Result<void> Account::write_files(const std::string& token) {
  const std::string name = "..2024_01_02_03_04_05." + std::to_string(1000000000 + version_++);
  const fs::path base = directory_;
  std::error_code failure;
  fs::create_directories(base / name, failure);
  if (failure) return pulse::system_error("create " + (base / name).string(), failure.value());
  const std::vector<std::pair<std::string, std::string>> files = {
      {"ca.crt", ca_pem_}, {"namespace", namespace_}, {"token", token}};
  for (const auto& [file, text] : files) {
    std::ofstream out(base / name / file);
    if (!(out << text).flush()) return pulse::system_error("write " + (base / name / file).string(), errno);
  }
  const fs::path before = fs::read_symlink(base / "..data", failure);
  fs::remove(base / "..data_tmp", failure);
  fs::create_directory_symlink(name, base / "..data_tmp", failure);
  if (!failure) fs::rename(base / "..data_tmp", base / "..data", failure);
  if (failure) return pulse::system_error("link " + (base / "..data").string(), failure.value());
  for (const auto& [file, text] : files) {
    if (fs::is_symlink(base / file, failure)) continue;
    fs::remove(base / file, failure);
    fs::create_symlink("..data/" + file, base / file, failure);
    if (failure) return pulse::system_error("link " + (base / file).string(), failure.value());
  }
  if (!before.empty() && before != name) fs::remove_all(base / before, failure);
  return {};
}

pulse::Result<void> Account::rotate(std::chrono::milliseconds grace) {
  const std::string token = new_token(namespace_);
  const std::lock_guard lock(mutex_);
  // Accepted before it can be read: a client may be fast.
  old_.push_back({std::exchange(token_, token), Clock::now() + grace});
  const Clock::time_point latest = Clock::now() + grace;
  for (Old& old : old_) old.until = std::min(old.until, latest);
  return write_files(token);
}

bool Account::accepts(const std::string& token) const {
  const std::lock_guard lock(mutex_);
  if (token.empty()) return false;
  if (token == token_) return true;
  const auto now = Clock::now();
  return std::any_of(old_.begin(), old_.end(), [&](const Old& old) { return old.token == token && now < old.until; });
}

}  // namespace kubernetes_double
