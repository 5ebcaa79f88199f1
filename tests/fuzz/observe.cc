// Any rows as ProxySQL's answer to what a beat asks: refused, or planned upon. Rows are lines, cells end with a tab.
#include "scheduler/beat/observation.h"
#include "scheduler/cluster/core_plan.h"
#include "scheduler/cluster/satellite_plan.h"
#include "tests/fuzz/fuzz.h"

using namespace pulse;
using fuzz::expect;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kNow = 1'000'000'000'000;
  fuzz::Input input(data, size);
  const Look look = input.byte() % 2 == 0 ? Look::everything : Look::cluster;
  AdminResult answer;
  while (!input.empty()) {
    fuzz::Input line(nullptr, 0);
    const std::string_view text = input.until('\n');
    line = fuzz::Input(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    std::vector<std::string> row;
    while (!line.empty()) row.emplace_back(line.until('\t'));
    row.resize(std::max<size_t>(row.size(), 5));
    answer.rows.push_back(std::move(row));
  }
  auto seen = parse_seen(answer, look);
  if (!seen) {
    expect(!seen.error().text.empty(), "an error says why");
    return 0;
  }
  Observation last{};
  watch_peers(*seen, last, kNow, {std::chrono::seconds(2), std::chrono::seconds(5)});
  const Observation shown = to_observation(*seen, last, kNow, std::chrono::seconds(5), true);
  expect(shown.modules_count <= kModules, "modules are bounded");
  static_cast<void>(has_loaded(*seen, shown));

  CoreList list;
  list.cores = {{{"10.0.0.1", 6032}, "core-0", 10, true}, {{"10.0.0.2", 6032}, "core-1", 5, false}};
  Config config;
  config.core.authority = Authority::revision;
  config.core.modules = {"mysql_servers", "mysql_users"};
  config.file_groups = {"mysql_servers", "mysql_users"};
  const CorePlan core = plan_core({*seen, list, config, CoreRecord{}, 1, kNow});
  const Plan satellite =
      plan_satellite({*seen, {{"core.example", 6032, 0, ""}}, config.satellite.peer_timeout, list, false});
  for (const Plan* plan : {&core.plan, &satellite}) {
    for (const Step& step : plan->steps) expect(!step.statement.empty() && !step.reason.empty(), "steps say why");
  }
  CoreRecord record = core.record;
  Applied applied = core.applied;
  settle_core(record, applied, core.plan, {}, *seen, *seen, kNow);
  return 0;
}
