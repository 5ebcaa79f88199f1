#include "src/config/identity.h"

#include "src/base/hash.h"

namespace pulse {

uint64_t identity_of(const struct stat& file, const std::string& path) {
  const auto ns = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  const int64_t parts[] = {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino),
                           static_cast<int64_t>(file.st_size), ns(file.st_mtim), ns(file.st_ctim)};
  return fnv1a({reinterpret_cast<const char*>(parts), sizeof parts}, fnv1a(path)) | 1;
}

uint64_t config_identity(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 ? identity_of(file, path) : 0;
}

uint64_t identity_with_includes(uint64_t identity, const std::vector<CnfInclude>& includes) {
  for (const CnfInclude& file : includes) {
    identity = fnv1a({reinterpret_cast<const char*>(&file.identity), sizeof file.identity}, identity) | 1;
  }
  return identity;
}

uint64_t config_path_hash(const std::string& path) { return fnv1a(path) | 1; }

}  // namespace pulse
