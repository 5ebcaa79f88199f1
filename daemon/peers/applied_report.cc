#include "daemon/peers/applied_report.h"

#include <string>

#include "daemon/kubernetes/api_json.h"
#include "shm/segment/text.h"
#include "src/base/number.h"
#include "src/base/rfc3339.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

constexpr size_t kHexDigits = 16;  // of a word
// Revisions are counted from 1; times of creation stand for them where they aren't known. The year 2200.
constexpr int64_t kMostRevision = 7'258'118'400;

std::optional<uint64_t> word_of_hex(std::string_view digits) {
  if (digits.size() != kHexDigits) return std::nullopt;
  return to_number<uint64_t>(digits, 16);
}

Content content_of(std::string_view hex) {
  if (hex.size() != 2 * kHexDigits) return {};
  const auto high = word_of_hex(hex.substr(0, kHexDigits));
  const auto low = word_of_hex(hex.substr(kHexDigits));
  return high && low ? Content{*high, *low} : Content{};
}

class AppliedReportWalker : public JsonWalker {
 public:
  bool found = false;
  Applied applied{};

 private:
  static constexpr const char* kReport = "/core_files";
  static constexpr const char* kModule = "/core_files/modules";
  static constexpr const char* kFile = "/core_files/modules/applied";

  bool wants(const std::string& path) const override {
    return path.empty() || path == kReport || path == kModule || path == kFile;
  }
  void on_object_begin(const std::string& path) override {
    if (path == kReport) found = true;
    if (path == kModule) {
      module_ = AppliedModule{};
      name_.clear();
    }
    if (path == kFile) file_ = AppliedFile{};
  }
  void on_object_end(const std::string& path) override {
    if (path == kFile && file_.content != Content{} && module_.count < kAppliedFiles) {
      module_.files[module_.count++] = file_;
    }
    const FileModule* const known = path == kModule ? find_file_module(name_) : nullptr;
    if (known == nullptr || name_ != known->name || module_.count == 0 || applied.count == kModules) return;
    set_text(module_.name, name_);
    applied.modules[applied.count++] = module_;
  }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/core_files/modules/name") name_ = value;
    if (path == "/core_files/modules/applied/content") file_.content = content_of(value);
    if (path == "/core_files/modules/applied/at") file_.at = parse_rfc3339(value).value_or(0);
  }
  void on_number(const std::string& path, int64_t value) override {
    if (path == "/core_files/modules/applied/revision" && value >= 0 && value <= kMostRevision) file_.revision = value;
  }

  AppliedModule module_{};
  AppliedFile file_{};
  std::string name_;
};

}  // namespace

Result<std::optional<Applied>> parse_applied_report(std::string_view json) {
  AppliedReportWalker walker;
  if (const std::string problem = walk_json(json, walker); !problem.empty()) return Error{problem};
  if (!walker.found) return std::optional<Applied>();
  return std::optional<Applied>(walker.applied);
}

}  // namespace pulse
