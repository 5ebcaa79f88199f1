// A state segment that somebody has scribbled over: opened or refused, read, judged, shown, and planned upon, as the
// daemon, the commands and a beat do. The input is a list of patches, for most of 400 KB would be noise: an offset of
// three bytes, a length, the bytes. The first byte says whether the file has the right size.
#include "shm/segment/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "scheduler/beat/observation.h"
#include "scheduler/beat/reconciliation.h"
#include "scheduler/cluster/core_plan.h"
#include "scheduler/cluster/satellite_plan.h"
#include "scheduler/status/status_text.h"
#include "shm/record/job_runs.h"
#include "src/base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "tests/temp_dir.h"

using namespace pulse;
using fuzz::expect;

namespace {

constexpr int64_t kNow = 1'000'000'000'000;
constexpr uint64_t kBoot = 42;

// A segment in the middle of its life: every section was published, most strings and counts are in use.
void fill(Layout& layout) {
  layout.boot_id.store(kBoot);
  layout.last_beat_ns.store(kNow - 1'000'000'000);
  layout.phase_mark.store(make_mark(uint64_t{9}, Phase::act));
  layout.ended_ns.store(kNow - 900'000'000);
  layout.end_mark.store(make_mark(uint64_t{9}, Outcome::timed_out));
  layout.holder.publish({4711, kNow - 1'000'000'000, kNow - 800'000'000});
  layout.attempt.publish({9, kNow - 1'000'000'000, kNow - 800'000'000});
  BeatRecord record{};
  record.attempt = 8;
  record.ok = 5;
  record.failed = 1;
  record.timed_out = 2;
  record.consecutive_failures = record.consecutive_timeouts = 2;
  record.interval_ms = 2000;
  record.backoff_max_ms = 30000;
  record.history_count = 40;
  for (Ended& ended : record.history) ended = {kNow - 5'000'000'000, 2'000'000, 1, 7, 0, 1};
  set_text(record.message, "timed out in phase observe");
  layout.record.publish(record);
  Observation seen{};
  seen.at_ns = kNow - 1'000'000'000;
  seen.configured = 1;
  seen.modules_count = 7;
  seen.peers_count = 3;
  for (uint32_t i = 0; i < seen.modules_count; ++i) {
    set_text(seen.modules[i].name, "mysql_users");
    set_text(seen.modules[i].checksum, "0x0123456789ABCDEF");
  }
  for (uint32_t i = 0; i < seen.peers_count; ++i) {
    set_text(seen.peers[i].hostname, "10.0.0.1");
    seen.peers[i].port = 6032;
    seen.peers[i].in_runtime = 1;
  }
  set_text(seen.version, "2.7.1");
  layout.observation.publish(seen);
  CoreRecord core{};
  core.standing = static_cast<uint8_t>(Standing::authority);
  core.stamps_count = 2;
  for (Stamp& stamp : core.stamps) set_text(stamp.name, "mysql_users");
  set_text(core.reason, "this is the newest core");
  layout.core.publish(core);
  ProxysqlStart start{};
  start.boot_id = kBoot;
  start.since_ns = kNow - 60'000'000'000;
  start.seen_ns = start.looked_ns = kNow - 500'000'000;
  start.mysql_count = start.admin_count = 1;
  start.mysql[0] = 11;
  start.admin[0] = 12;
  layout.start.publish(start);
  Discovery discovery{};
  discovery.boot_id = kBoot;
  discovery.ok_ns = discovery.looked_ns = kNow - 1'000'000'000;
  discovery.source = static_cast<uint8_t>(Source::kubernetes);
  layout.discovery.publish(discovery);
  const auto members = std::make_unique<Members>();
  members->boot_id = kBoot;
  members->count = 4;
  members->cores = 2;
  for (uint32_t i = 0; i < members->count; ++i) {
    set_text(members->members[i].name, "core-0");
    set_text(members->members[i].address, "10.0.0.1");
    members->members[i].port = 6032;
    members->members[i].is_core = i < 2;
  }
  layout.members.publish(*members);
  JobState job{};
  set_text(job.name, "upload");
  job.boot_id = kBoot;
  job.run = 3;
  job.ended_run = 2;
  job.began_ns = kNow - 1'000'000'000;
  job.deadline_ns = kNow + 9'000'000'000;
  layout.jobs[0].owner = job_key("upload");
  layout.jobs[0].state.publish(job);
}

struct File {
  File() : path(dir / "state") {
    install_bus_guard();
    SegmentOptions options;
    options.path = path;
    auto segment = Segment::open(options);
    expect(static_cast<bool>(segment), "a new segment");
    fill(segment->layout());
    whole.resize(sizeof(Layout));
    fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    expect(::pread(fd, whole.data(), whole.size(), 0) == static_cast<ssize_t>(whole.size()), "reads it back");
  }

  void patch(size_t offset, std::string_view bytes) const {
    expect(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size()),
           "a patch");
  }

  test::TempDir dir;
  std::string path;
  std::string whole;
  int fd;
};

void show(const Segment& segment) {
  Config config;
  config.role = Role::core;
  config.daemon.mysql_host = "127.0.0.1";
  const Policy policy = make_policy(config, "host");
  StateView view = read_state(segment, kBoot, policy.backoff(), kNow);
  read_members(segment, kBoot, view);
  read_applied(segment, view);
  read_hostgroups(segment, kBoot, view);
  read_jobs(segment, kBoot, kNow, view);
  PortView port;
  port.known = port.answers = true;
  Memory memory;
  const Verdict verdict = decide(view, port, policy, memory, 1, kNow);
  const StatusInput input{view, verdict, port, config, 0, kNow};
  expect(std::string(name(verdict.state)) != "unknown", "the state is a known one");
  const auto whole = nlohmann::json::parse(status_json(input), nullptr, false);
  expect(whole.is_object() && whole["counters"].is_object(), "status is JSON");
  expect(whole["history"].size() <= kHistory && whole["members"].size() <= kMembers, "lists are bounded");
  const auto probe = nlohmann::json::parse(probe_json(input, verdict.ready, "ready"), nullptr, false);
  expect(probe.is_object(), "a probe's answer is JSON");
  expect(!status_text(input).empty(), "there is something for people");
  const std::string screen = status_screen(input, 80, 23, "\n");
  expect(std::count(screen.begin(), screen.end(), '\n') <= 23, "it fits a terminal");
  for (const char c : screen) expect(c == '\n' || static_cast<unsigned char>(c) >= ' ', "and controls none");
}

// What a beat makes of what it finds: no statement that isn't about a server or a module.
void plan(Layout& layout) {
  Known known{};
  if (!read_known(layout, kBoot, BootTime{kNow}, std::chrono::minutes(1), known)) return;
  BeatRecord record{};
  Attempt attempt{};
  if (layout.record.read(record) && layout.attempt.read(attempt)) {
    const Marks marks{layout.phase_mark.load(), layout.end_mark.load(), layout.ended_ns.load()};
    fold_unrecorded(record, attempt, marks, {2'000'000'000, 30'000'000'000}, kNow, true);
    static_cast<void>(admit(record, kNow, ProcessNow{}, 3));
  }
  static_cast<void>(what_to_look_at(known.last, 7, kNow));
  Seen seen;
  seen.now_s = 1'000'000;
  seen.servers = {{"10.0.0.1", 6032, true, true, seen.now_s, 0}};
  seen.modules = {{"mysql_users", 2, 999'000, "0x1"}, {"proxysql_servers", 2, 999'000, "0x2"}};
  static_cast<void>(has_loaded(seen, known.last));
  Config config;
  watch_peers(seen, known.last, kNow, {config.beat.interval, config.satellite.peer_timeout});
  config.role = Role::core;
  config.core.authority = Authority::revision;
  config.core.modules = {"mysql_users"};
  config.file_groups = {"mysql_users"};
  const CorePlan core = plan_core(
      {seen, known.list, config, known.core, known.last.proxysql_started_ns, kNow, known.applied, known.reports});
  for (const Step& step : core.plan.steps) expect(!step.statement.empty() && !step.reason.empty(), "steps say why");
  CoreRecord settled = core.record;
  Applied applied = core.applied;
  Outcomes outcomes;
  for (const Step& step : core.plan.steps) {
    if (step.loads) outcomes.loaded.push_back(step.part);
  }
  settle_core(settled, applied, core.plan, outcomes, seen, seen, kNow);
  const Plan satellite = plan_satellite(
      {seen, config.bootstrap, config.satellite.peer_timeout, known.list, known.resync, known.has_segment});
  for (const Step& step : satellite.steps) expect(!step.statement.empty(), "a step is a statement");
  static_cast<void>(to_observation(seen, known.last, kNow, config.satellite.peer_timeout, true));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const File file;
  fuzz::Input input(data, size);
  const uint8_t how = input.byte();
  std::vector<std::pair<size_t, size_t>> patched;
  while (!input.empty()) {
    const size_t offset = input.number(3);
    const std::string_view bytes = input.take(input.byte());
    if (offset + bytes.size() > file.whole.size()) continue;
    file.patch(offset, bytes);
    patched.emplace_back(offset, bytes.size());
  }
  if (how == 1) expect(::ftruncate(file.fd, static_cast<off_t>(sizeof(Layout) / 2)) == 0, "cut short");

  SegmentOptions options;
  options.path = file.path;
  options.create = false;
  auto segment = Segment::open(options);
  if (segment) {
    if (how == 2) expect(::ftruncate(file.fd, 4096) == 0, "cut short under the reader");
    show(*segment);
    if (how != 2) plan(segment->layout());
  } else {
    expect(segment.error().text.find(file.path) != std::string::npos, "an error names the file");
  }

  if (how == 1 || how == 2) {
    expect(::ftruncate(file.fd, static_cast<off_t>(sizeof(Layout))) == 0, "whole again");
    file.patch(0, file.whole);
  } else {
    for (const auto& [offset, length] : patched)
      file.patch(offset, std::string_view(file.whole).substr(offset, length));
  }
  return 0;
}
