#include "src/config/identity.h"

#include "src/base/file.h"
#include "src/base/hash.h"

namespace pulse {

namespace {

// libconfig gives up at this depth (scanctx.h), and so do files that include each other.
constexpr int kDeepest = 10;

uint64_t add_includes(uint64_t identity, std::string_view text, const std::string& directory, int depth) {
  constexpr std::string_view kWord = "@include";
  for (size_t at = text.find(kWord); at != text.npos && depth < kDeepest; at = text.find(kWord, at + kWord.size())) {
    const size_t open = text.find('"', at);
    const size_t close = open == text.npos ? text.npos : text.find('"', open + 1);
    if (close == text.npos) break;
    std::string path(text.substr(open + 1, close - open - 1));
    if (!directory.empty() && !path.starts_with('/')) path = directory + "/" + path;
    const uint64_t one = config_identity(path);
    identity = fnv1a({reinterpret_cast<const char*>(&one), sizeof one}, identity) | 1;
    if (one == 0) continue;
    const auto included = read_text_at_once(path);
    if (included) identity = add_includes(identity, *included, directory, depth + 1);
  }
  return identity;
}

}  // namespace

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

uint64_t identity_with_includes(uint64_t identity, std::string_view text, const std::string& directory) {
  return add_includes(identity, text, directory, 0);
}

uint64_t config_path_hash(const std::string& path) { return fnv1a(path) | 1; }

}  // namespace pulse
