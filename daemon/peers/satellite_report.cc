#include "daemon/peers/satellite_report.h"

#include <string>
#include <utility>

#include "daemon/kubernetes/api_json.h"
#include "shm/segment/layout_proxysql.h"
#include "shm/segment/names.h"
#include "shm/segment/text.h"
#include "src/config/modules.h"

namespace pulse {

namespace {

// Ten years.
constexpr int64_t kMostMs = 315'360'000'000;

struct Parsed {
  StuckModule module{};
  std::string name, checksum, peers_checksum;
  int64_t stuck_for_ms = -1;
};

class SatelliteReportWalker : public JsonWalker {
 public:
  bool found = false;  // an origin
  std::string role;
  int64_t observed_age_ms = -1;
  std::vector<Parsed> modules;

 private:
  static constexpr const char* kModule = "/proxysql/modules";

  bool wants(const std::string& path) const override { return path.empty() || path == "/proxysql" || path == kModule; }
  void on_object_begin(const std::string& path) override {
    if (path == kModule) now_ = Parsed{};
  }
  void on_object_end(const std::string& path) override {
    if (path == kModule && modules.size() < kModules) modules.push_back(std::move(now_));
  }
  void on_text(const std::string& path, std::string& value) override {
    if (path == "/role") role = value;
    if (path == "/proxysql/modules/name") now_.name = value;
    if (path == "/proxysql/modules/checksum") now_.checksum = value;
    if (path == "/proxysql/modules/peers_checksum") now_.peers_checksum = value;
    if (path != "/proxysql/modules/origin") return;
    found = true;
    for (const ModuleOrigin origin : {ModuleOrigin::core, ModuleOrigin::here}) {
      if (value == name(origin)) now_.module.origin = static_cast<uint8_t>(origin);
    }
  }
  void on_number(const std::string& path, int64_t value) override {
    if (path == "/observed_age_ms") observed_age_ms = value;
    if (path == "/proxysql/modules/epoch") now_.module.epoch = value;
    if (path == "/proxysql/modules/stuck_for_ms") now_.stuck_for_ms = value;
  }

  Parsed now_;
};

bool is_age(int64_t ms) { return ms >= 0 && ms <= kMostMs; }

}  // namespace

Result<std::optional<SatelliteReport>> parse_satellite_report(std::string_view json, int64_t now_ns) {
  SatelliteReportWalker walker;
  if (const std::string problem = walk_json(json, walker); !problem.empty()) return Error{problem};
  if (walker.role != name(Role::satellite)) return Error{"it is no satellite's"};
  if (!walker.found) return std::optional<SatelliteReport>();
  SatelliteReport report;
  for (const Parsed& each : walker.modules) {
    const bool good = find_row_module(each.name) != nullptr && is_age(each.stuck_for_ms) && each.module.epoch > 0 &&
                      !each.checksum.empty() && !each.peers_checksum.empty() && is_age(walker.observed_age_ms);
    if (!good) continue;
    StuckModule& stuck = report.stuck.emplace_back(each.module);
    set_text(stuck.module, each.name);
    set_text(stuck.checksum, each.checksum);
    set_text(stuck.peers_checksum, each.peers_checksum);
    stuck.since_ns = now_ns - each.stuck_for_ms * 1'000'000;
    stuck.seen_ns = now_ns - walker.observed_age_ms * 1'000'000;
  }
  return std::optional<SatelliteReport>(std::move(report));
}

}  // namespace pulse
