#include "tests/model/cluster.h"

#include <algorithm>

#include "shm/record/applied.h"
#include "shm/record/core_record.h"

namespace pulse::model {

namespace {

constexpr int kDiffsBeforeSync = 3;
constexpr int64_t kMachineUpMs = 100'000;  // how long a machine is up when a pod comes

}  // namespace

void Cluster::note(const std::string& what) {
  constexpr size_t kKept = 300;
  trace_.push_back(std::to_string(now_ms_) + " " + what);
  if (trace_.size() > kKept) trace_.pop_front();
}

void Cluster::broken(const std::string& what) {
  note("BROKEN: " + what);
  if (problem_.empty()) problem_ = what;
}

Host& Cluster::add(bool is_core, int64_t revision, const ConfigFile& file) {
  // Not in the order of creation: the lowest address must not be the oldest core by chance.
  const std::string address = "10.0." + std::to_string(100 + below(100)) + "." + std::to_string(next_number_++);
  Host& host = hosts_[address];
  host.proxysql.address = address;
  host.proxysql.changed = [this](const ProxysqlNode& node, size_t module, const Rows& before, Cause cause) {
    changed(node, module, before, cause);
  };
  host.is_core = is_core;
  host.revision = options_.has_revisions ? revision : 0;
  host.created_at = kEpoch + now_ms_ / 1000;
  host.file = file;
  host.machine_ms = now_ms_ - kMachineUpMs;
  host.reports_late = options_.is_slow;
  Config& config = host.config;
  config.role = is_core ? Role::core : Role::satellite;
  config.beat.interval = std::chrono::milliseconds(options_.beat_ms);
  config.core.authority = options_.authority;
  config.core.modules = config.file_groups = {name_of(kServers), name_of(kUsers)};
  config.satellite.peer_timeout = std::chrono::milliseconds(5000);
  config.satellite.mend = options_.mend;
  config.discovery.source = options_.is_static ? Source::fixed : Source::kubernetes;
  config.bootstrap = {{kBootstrapName, kPort, 0, ""}};
  note("add " + address + (is_core ? " core of revision " + std::to_string(revision) : " satellite"));
  boot(host);
  host.next_list_ms = now_ms_ + below(1000);
  return host;
}

std::string Cluster::add_core(int64_t revision, const ConfigFile& file) {
  Host& host = add(true, revision, file);
  if (options_.authority != Authority::never) {
    for (size_t i = 0; i < kFileModulesHere; ++i) {
      harm_.file_says(i, file.rows[i], rank(host), now_ms_, "the file of " + host.address());
    }
  }
  return host.address();
}

std::string Cluster::add_satellite() { return add(false, 0, ConfigFile{}).address(); }

void Cluster::remove(const std::string& address) {
  note("remove " + address);
  hosts_.erase(address);
  words_may_be_lost();
}

void Cluster::words_may_be_lost() {
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    harm_.forget_lost(i, [&](const Rows& rows) {
      return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
        const ProxysqlNode& node = entry.second.proxysql;
        const bool is_pulling = node.pull && node.pull->module == i && node.pull->rows == rows;
        const bool has_it = is_pulling || (node.up && node.modules[i].version > 1 && node.modules[i].runtime == rows);
        return has_it && entry.second.is_core;
      });
    });
  }
}

void Cluster::prepare_database(Host& host, Database database) {
  if (database == Database::none) host.proxysql.has_database = false;
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    Rows& disk = host.proxysql.modules[i].disk;
    if (database == Database::emptied) disk.clear();
    if (database == Database::stale) disk = host.disk_before[i];
  }
}

void Cluster::restart_proxysql(Host& host, Database database) {
  static constexpr const char* kShown[] = {"kept", "stale", "emptied", "gone"};
  note("restart ProxySQL of " + host.address() + ", its database is " + kShown[static_cast<int>(database)]);
  ++host.life;
  prepare_database(host, database);
  host.proxysql.stop();
  host.boots_ms = now_ms_ + 300 + below(chance(0.2) ? 15'000 : 2500);
  words_may_be_lost();
}

void Cluster::restart_machine(Host& host, bool segment_kept, Database database) {
  note("restart the machine of " + host.address() + (segment_kept ? ", segment kept" : ", segment gone"));
  restart_proxysql(host, database);
  const int64_t down_ms = 1000 + below(15'000);
  host.boots_ms = std::max(host.boots_ms, now_ms_ + down_ms + 500);
  host.machine_up = false;
  host.next_list_ms = now_ms_ + down_ms;
  host.machine_ms = now_ms_ + down_ms - 10'000;
  StateSegment before = host.segment;
  host.segment = StateSegment{};
  if (segment_kept) {  // as Beat::start_over() does it
    host.segment.record = core_record_after_boot(before.record);
    host.segment.applied = before.applied;
  } else {
    host.served = host.loading = host.last_loaded = {};
    host.knows = {};
    host.newest_known = 0;
  }
  host.daemon = Daemon{};
}

void Cluster::restart_daemon(Host& host, bool list_kept) {
  note("restart the daemon of " + host.address());
  host.daemon.asking = false;
  if (!list_kept) host.daemon = Daemon{};
  host.next_list_ms = now_ms_ + 200 + below(3000);
}

void Cluster::step_clock(Host& host, int64_t by_s) {
  note("the clock of " + host.address() + " steps by " + std::to_string(by_s) + " s");
  clock_has_stepped_ = true;
  host.clock_offset_s += by_s;
}

void Cluster::boot(Host& host) {
  note("boot " + host.address());
  ++host.life;
  for (size_t i = 0; i < kFileModulesHere; ++i) host.disk_before[i] = host.proxysql.modules[i].disk;
  host.proxysql.boot(host.file, now_ms_, now_s(host));
  host.next_check_ms = now_ms_ + 100 + below(options_.check_ms);
  host.next_beat_ms = now_ms_ + 500 + below(options_.beat_ms);
}

// A headless service's name leads to some core. To the asking node itself never: ProxySQL can hang on that.
ProxysqlNode* Cluster::resolve(const Host& from, const std::string& name) {
  if (name != kBootstrapName) {
    const auto found = hosts_.find(name);
    return found == hosts_.end() || is_down(found->second) ? nullptr : &found->second.proxysql;
  }
  std::vector<ProxysqlNode*> candidates;
  for (auto& [address, host] : hosts_) {
    if (host.is_core && !is_down(host) && &host != &from) candidates.push_back(&host.proxysql);
  }
  return candidates.empty() ? nullptr : candidates[static_cast<size_t>(below(static_cast<int64_t>(candidates.size())))];
}

void Cluster::check_peers(Host& host) {
  ProxysqlNode& node = host.proxysql;
  node.forget_unlisted_peers();
  for (const auto& [name, unused] : node.modules[kMembership].runtime) {
    ProxysqlNode* peer = resolve(host, name);
    if (peer != nullptr) node.check(name, *peer, now_ms_, now_s(host));
  }
  for (const size_t module : {kMembership, kUsers, kServers}) {
    if (node.pull) return;
    const std::string* source = node.source_of(module, kDiffsBeforeSync);
    ProxysqlNode* peer = source == nullptr ? nullptr : resolve(host, *source);
    if (peer == nullptr || peer == &node) continue;
    node.begin_pull(module, *source, *peer,
                    now_ms_ + (chance(options_.is_slow ? 0.5 : 0.2) ? below(options_.longest_pull_ms) : below(50)));
  }
}

// Whatever the node would pull sooner or later lands now.
void Cluster::pull_now(Host& host) {
  ProxysqlNode& node = host.proxysql;
  for (const size_t module : {kUsers, kServers, kMembership}) {
    if (node.pull) break;
    const std::string* source = node.source_of(module, 1);
    ProxysqlNode* peer = source == nullptr ? nullptr : resolve(host, *source);
    if (peer != nullptr && peer != &node) node.begin_pull(module, *source, *peer, now_ms_);
  }
  if (node.pull) finish_pull(host);
}

// Somebody loads something else at another core right now, and it is pulled here at once, or a pull of it begins that
// lands after the file's load.
void Cluster::cross_a_file_load(Host& host) {
  for (auto& [address, other] : hosts_) {
    const size_t module = static_cast<size_t>(below(kFileModulesHere));
    ModuleState& state = other.proxysql.modules[module];
    if (&other == &host || !other.is_core || is_down(other) || other.in_beat || state.epoch >= now_s(other)) continue;
    state.memory["crossing" + std::to_string(now_ms_)] = "1";
    person_runs(other, std::string("LOAD ") + (module == kUsers ? "MYSQL USERS" : "MYSQL SERVERS") + " TO RUNTIME");
    ProxysqlNode& node = host.proxysql;
    node.check(address, other.proxysql, now_ms_, now_s(host));
    const std::string* source = node.source_of(module, 1);
    if (!node.pull && source != nullptr && *source == address && chance(0.5)) {
      return node.begin_pull(module, *source, other.proxysql, now_ms_ + 100 + below(3000));
    }
    return pull_now(host);
  }
}

void Cluster::finish_pull(Host& host) {
  const Pull pull = *host.proxysql.pull;
  const ModuleState& module = host.proxysql.modules[pull.module];
  note(host.address() + " has pulled " + name_of(pull.module) + " " + shown(pull.rows) + " e" +
       std::to_string(pull.epoch - kEpoch));
  // What is older wins over a person's load: a pull that was under way, or a clock that stands back. That is
  // ProxySQL's own doing.
  const bool is_older = pull.loaded_ms < module.loaded_ms;
  if (pull.module < kFileModulesHere && is_older && (module.loaded_by == Cause::person || clock_has_stepped_)) {
    harm_.doubts(pull.module, pull.rows, now_ms_);
  }
  host.proxysql.finish_pull();
}

void Cluster::look_at_list(Host& host) {
  host.next_list_ms = now_ms_ + 100 + below(1500);
  if (!host.machine_up) host.machine_up = true;
  ask_satellites(host);
  if (discovery_fails_ || host.list_fails) return;
  std::vector<Core> list;
  for (const auto& [address, other] : hosts_) {
    if (!other.is_core || (host.own_list && host.own_list->count(address) == 0)) continue;
    list.push_back({{address, kPort},
                    "",
                    options_.is_static ? 0 : other.created_at,
                    address == host.address(),
                    options_.is_static ? 0 : other.revision});
  }
  Daemon& daemon = host.daemon;
  const int64_t now_ns = host.now_ns(now_ms_);
  const bool same =
      std::equal(list.begin(), list.end(), daemon.list.begin(), daemon.list.end(), [](const Core& a, const Core& b) {
        return a.server == b.server && a.created_at == b.created_at && a.revision == b.revision;
      });
  if (!same || daemon.ok_ns == 0) {
    daemon.changed_ns = now_ns;
    daemon.list = std::move(list);
    if (!daemon.asking) host.next_round_ms = now_ms_ + below(100);
  }
  daemon.ok_ns = now_ns;
}

// As PeerReader asks: at once when the list changes, else every five seconds, each second while one doesn't answer.
void Cluster::ask_peers(Host& host) {
  Daemon& daemon = host.daemon;
  if (!daemon.asking) {
    host.next_round_ms = now_ms_ + 5000;
    if (daemon.ok_ns == 0 || !host.is_core || options_.authority == Authority::never) return;
    daemon.asking = true;
    daemon.asked_list_ns = daemon.changed_ns;
    daemon.asked.clear();
    for (const Core& core : daemon.list) {
      if (!core.is_self) daemon.asked.push_back(core.server.first);
    }
    host.next_round_ms = now_ms_ + 5 + (host.reports_late ? below(4000) : below(50));
    return;
  }
  daemon.asking = false;
  Reports& reports = daemon.reports;
  bool failed = false;
  for (const std::string& address : daemon.asked) {
    const auto peer = hosts_.find(address);
    if (peer == hosts_.end() || !peer->second.machine_up || peer->second.reports_blocked || host.reports_blocked) {
      failed = true;
    } else if (!peer->second.older_pulse) {
      merge_applied(daemon.reported, peer->second.segment.applied);
    }
  }
  const int64_t now_ns = host.now_ns(now_ms_);
  reports.any = true;
  reports.round_ns = now_ns;
  reports.list_ns = daemon.asked_list_ns;
  reports.error = failed ? "connection refused" : "";
  reports.failing_ns = !failed ? 0 : reports.failing_ns == 0 ? now_ns : reports.failing_ns;
  host.next_round_ms = daemon.changed_ns != daemon.asked_list_ns ? now_ms_ : now_ms_ + (failed ? 1000 : 5000);
}

// As PeerReader does it on the core that leads, the lowest one.
void Cluster::ask_satellites(Host& host) {
  SatelliteReports& reports = host.daemon.satellites;
  const auto& list = host.daemon.list;
  const bool leads = host.is_core && host.daemon.ok_ns != 0 && !list.empty() && list.front().is_self;
  const int64_t now_ns = host.now_ns(now_ms_);
  reports.leads_ns = leads ? now_ns : 0;
  if (!leads) reports.count = 0;
  if (!leads || now_ns - reports.asked_ns < 5'000'000'000) return;
  reports.asked_ns = now_ns;
  reports.count = 0;
  for (const auto& [address, other] : hosts_) {
    if (other.is_core || !other.machine_up || other.reports_blocked || host.reports_blocked) continue;
    const int64_t its_now_ns = other.now_ns(now_ms_);
    const Observation& last = other.segment.last;
    for (size_t i = 0; i < last.modules_count && reports.count < kStuckModules; ++i) {
      const Module& module = last.modules[i];
      if (module.stuck_since_ns == 0) continue;
      StuckModule& stuck = reports.modules[reports.count++];
      stuck = StuckModule{};
      set_text(stuck.address, address);
      stuck.port = kPort;
      stuck.module = module.name;
      stuck.checksum = module.checksum;
      stuck.peers_checksum = module.peers_checksum;
      stuck.epoch = module.epoch;
      stuck.origin = module.origin;
      stuck.since_ns = now_ns - (its_now_ns - module.stuck_since_ns);
      stuck.seen_ns = now_ns - (its_now_ns - last.at_ns);
    }
  }
}

bool Cluster::refuses(Host& host, const std::string& statement) {
  if (!disturbed_ || !chance(options_.refused)) return false;
  note(host.address() + " REFUSES " + statement);
  return true;
}

bool Cluster::between(Host& host) {
  if (!problem_.empty()) return false;
  if (!disturbed_) return true;
  const int life = host.life;
  if (chance(options_.killed)) {
    note(host.address() + " a beat is killed");
    return false;
  }
  if (chance(options_.is_slow ? 0.4 : 0.1)) run_until(now_ms_ + below(400));
  if (host.life == life && chance(0.1)) pull_now(host);
  if (host.life == life && host.in_file_load && chance(0.04)) cross_a_file_load(host);
  if (host.life == life && chance(0.005)) {
    restart_proxysql(host, static_cast<Database>(below(4)));
  } else if (host.life == life && chance(0.003)) {
    restart_machine(host, chance(0.5), static_cast<Database>(below(4)));
  }
  return host.life == life && problem_.empty();
}

void Cluster::beat(Host& host) {
  host.next_beat_ms = now_ms_ + options_.beat_ms + below(30);
  host.in_beat = true;
  const bool done = run_beat(host, *this);
  host.in_beat = false;
  if (done) after_beat(host);
}

int64_t Cluster::next_event(const Host& host) const {
  int64_t next = host.next_list_ms;
  if (host.machine_up) next = std::min(next, host.next_round_ms);
  if (!host.machine_up || !host.proxysql.up) return host.machine_up ? std::min(next, host.boots_ms) : next;
  next = std::min(next, host.next_check_ms);
  if (!host.in_beat) next = std::min(next, host.next_beat_ms);
  return host.proxysql.pull ? std::min(next, host.proxysql.pull->ends_ms) : next;
}

// What is due at this node.
void Cluster::step(Host& host) {
  if (now_ms_ >= host.next_list_ms) look_at_list(host);
  if (!host.machine_up) return;
  if (now_ms_ >= host.next_round_ms) ask_peers(host);
  if (!host.proxysql.up) {
    if (now_ms_ >= host.boots_ms) boot(host);
    return;
  }
  if (host.proxysql.pull && now_ms_ >= host.proxysql.pull->ends_ms) finish_pull(host);
  if (now_ms_ >= host.next_check_ms) {
    check_peers(host);
    host.next_check_ms = now_ms_ + options_.check_ms + below(20);
  }
  if (!host.in_beat && now_ms_ >= host.next_beat_ms) beat(host);
}

bool Cluster::run(int64_t ms) { return run_until(now_ms_ + ms); }

// Also from within a beat, which other nodes' beats then come between.
bool Cluster::run_until(int64_t end_ms) {
  while (problem_.empty()) {
    Host* first = nullptr;
    int64_t next = end_ms;
    for (auto& [address, host] : hosts_) {
      const int64_t its = next_event(host);
      if (its < next) first = &host, next = its;
    }
    if (first == nullptr) break;
    now_ms_ = std::max(now_ms_, next);
    step(*first);
  }
  now_ms_ = std::max(now_ms_, end_ms);
  return problem_.empty();
}

std::vector<Host*> Cluster::cores() {
  std::vector<Host*> list;
  for (auto& [address, host] : hosts_) {
    if (host.is_core) list.push_back(&host);
  }
  return list;
}

std::vector<Host*> Cluster::satellites() {
  std::vector<Host*> list;
  for (auto& [address, host] : hosts_) {
    if (!host.is_core) list.push_back(&host);
  }
  return list;
}

int64_t Cluster::writes() const {
  int64_t sum = 0;
  for (const auto& [address, host] : hosts_) sum += host.writes;
  return sum;
}

}  // namespace pulse::model
