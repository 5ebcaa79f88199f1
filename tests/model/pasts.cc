#include "tests/model/pasts.h"

namespace pulse::model {

namespace {

constexpr size_t kMany = 20;  // more than the segment's list of peers has room for

std::string command(size_t module, const char* verb, const char* direction) {
  return std::string(verb) + (module == kUsers ? " MYSQL USERS " : " MYSQL SERVERS ") + direction;
}

}  // namespace

Past::Past(uint64_t seed)
    : seed_(seed), options_(options(seed)), cluster_(seed, options_), most_cores_(seed % 20 == 0 ? kMany + 4 : 6) {}

Options Past::options(uint64_t seed) {
  Options options;
  const bool is_big = seed % 20 == 0;
  options.beat_ms = is_big || seed % 3 == 0 ? 2000 : 500;
  options.check_ms = !is_big && seed % 2 == 0 ? 200 : 1000;
  options.is_slow = seed % 5 == 2;
  if (options.is_slow) options.longest_pull_ms = 5000;
  options.mend = seed % 4 == 0 ? MendMode::report : MendMode::reload;
  switch (seed % 16) {
    case 3:
    case 9:
      options.authority = Authority::never;
      options.is_static = true;
      options.has_revisions = false;
      break;
    case 5:
      options.authority = Authority::always;
      options.is_static = true;
      options.has_revisions = false;
      break;
    case 7:
    case 12:
      options.has_revisions = false;
      break;
    default:
      break;
  }
  return options;
}

std::string Past::broken(const std::string& what) const {
  return what + (cluster_.problem().empty() ? "" : ": " + cluster_.problem()) + "\n" + cluster_.describe();
}

Host& Past::any_host() {
  auto satellites = cluster_.satellites();
  return satellites.empty() || chance(0.6) ? any_core() : any(satellites);
}

void Past::add_core(int64_t revision) {
  ConfigFile& file = files_[revision];
  file.identity = ++next_identity_;
  cluster_.add_core(revision, file);
}

void Past::begin() {
  files_[1].rows[kUsers] = {{"app", "1"}, {"old", "1"}};
  files_[1].rows[kServers] = {{"db1", "ONLINE"}, {"db2", "ONLINE"}};
  const int64_t cores = most_cores_ > 6 ? kMany : 1 + below(4);
  for (int64_t i = 0; i < cores; ++i) add_core(1);
  for (int64_t i = below(4); i > 0; --i) cluster_.add_satellite();
}

// Another row, another value, or one row less; never none.
Rows Past::edited(Rows rows, size_t module) {
  const std::string number = std::to_string(next_row_++);
  switch (below(3)) {
    case 0:
      if (rows.size() > 1) {
        rows.erase(std::next(rows.begin(), below(static_cast<int64_t>(rows.size()))));
        return rows;
      }
      [[fallthrough]];
    case 1:
      break;
    default:
      if (rows.empty()) break;
      std::next(rows.begin(), below(static_cast<int64_t>(rows.size())))->second = "edit" + number;
      return rows;
  }
  rows[(module == kUsers ? "user" : "db") + number] = number;
  return rows;
}

void Past::roll_out() {
  files_[revision_ + 1] = files_[revision_];
  ++revision_;
  const bool rolls_back = revision_ > 2 && chance(0.25);
  const bool restarts = !rolls_back && chance(0.25);
  if (rolls_back) files_[revision_] = files_[1 + below(revision_ - 2)];
  for (size_t i = 0; i < kFileModulesHere && !rolls_back && !restarts; ++i) {
    Rows& rows = files_[revision_].rows[i];
    if (chance(0.7)) rows = edited(rows, i);
  }
  add_core(revision_);
  // With "always" each core loads its own file: two files would take turns for ever, which is what was asked for.
  for (Host* core : cluster_.cores()) {
    for (size_t i = 0; options_.authority == Authority::always && i < kFileModulesHere; ++i) {
      cluster_.write_file(*core, i, files_[revision_].rows[i]);
    }
  }
}

void Past::remove_a_core() {
  const auto cores = cluster_.cores();
  if (cores.size() < 2) return;
  Host* gone = &any(cores);
  // An old one, as a rollout does it; sometimes any.
  for (Host* core : cores) {
    if (core->revision < gone->revision && chance(0.7)) gone = core;
  }
  cluster_.remove(gone->address());
}

void Past::evict_an_old_core() {
  for (Host* core : cluster_.cores()) {
    if (core->revision == 0 || core->revision == revision_) continue;
    const int64_t revision = core->revision;
    cluster_.remove(core->address());
    if (chance(0.3)) cluster_.run(below(5000));
    return add_core(revision);
  }
}

void Past::replace_all_cores() {
  if (chance(0.5)) {
    roll_out();
    cluster_.run(below(2) == 0 ? 0 : below(8000));
  }
  const auto before = cluster_.cores();
  if (chance(0.5)) add_core(revision_);
  std::vector<std::string> gone;
  for (Host* core : before) gone.push_back(core->address());
  for (const std::string& address : gone) cluster_.remove(address);
  add_core(revision_);
  for (int64_t i = below(3); i > 0; --i) add_core(revision_);
}

void Past::restart_something() {
  const auto database = [&] { return chance(0.5) ? Database::kept : static_cast<Database>(below(4)); };
  switch (below(8)) {
    case 0:
    case 1:
    case 2:
      return cluster_.restart_proxysql(any_host(), database());
    case 3: {  // all at once
      const bool each = chance(0.5);
      const Database all = database();
      for (Host* core : cluster_.cores()) cluster_.restart_proxysql(*core, each ? database() : all);
      return;
    }
    case 4:
      return cluster_.restart_machine(any_host(), true, database());
    case 5:
      return cluster_.restart_machine(any_host(), false, database());
    default:
      return cluster_.restart_daemon(any_host(), chance(0.5));
  }
}

// Changes rows at one core or at all of them; loads and saves them, or doesn't; some into the file, too.
void Past::person_works() {
  const size_t module = static_cast<size_t>(below(kFileModulesHere));
  const bool loads = chance(0.8), saves = chance(0.5), at_all = chance(0.4);
  const bool writes = chance(0.3) && (at_all || options_.authority != Authority::always);
  Host& first = any_core();
  if (cluster_.is_down(first)) return;
  if (const auto satellites = cluster_.satellites(); !satellites.empty() && chance(0.25)) {
    Host& satellite = any(satellites);
    if (cluster_.is_down(satellite)) return;
    return cluster_.person_loads_here(satellite, module, edited(satellite.proxysql.modules[module].runtime, module));
  }
  if (chance(0.15)) {  // in the middle of it: what is deleted in memory will come back later
    first.proxysql.modules[module].memory.clear();
    first.proxysql.modules[module].edited_in_memory = true;
    return;
  }
  const Rows rows = edited(first.proxysql.modules[module].runtime, module);
  for (Host* core : cluster_.cores()) {
    if ((core != &first && !at_all) || cluster_.is_down(*core)) continue;
    ModuleState& state = core->proxysql.modules[module];
    // Two loads of one node in one second: a person's own risk, see PROXYSQL-FACTS on equal epochs.
    if (loads && state.epoch >= cluster_.now_s(*core)) continue;
    state.memory = rows;
    state.edited_in_memory = true;
    if (loads) cluster_.person_runs(*core, command(module, "LOAD", "TO RUNTIME"));
    if (saves) cluster_.person_runs(*core, command(module, "SAVE", "TO DISK"));
    if (writes) cluster_.write_file(*core, module, rows);
  }
}

// The ConfigMap is changed, or each host's file, or one's; sometimes to something that can't be parsed for a while.
void Past::edit_files() {
  Host& one = any_core();
  const bool all = chance(0.7) || options_.authority == Authority::always;
  if (chance(0.2)) {
    one.file.broken = !one.file.broken;
    ++one.file.identity;
    return;
  }
  const size_t module = static_cast<size_t>(below(kFileModulesHere));
  const Rows rows = edited(one.file.rows[module], module);
  if (all) files_[revision_].rows[module] = rows;
  for (Host* core : cluster_.cores()) {
    if (core == &one || (all && (core->revision == revision_ || core->revision == 0))) {
      cluster_.write_file(*core, module, rows);
    }
  }
}

void Past::reports_fail() {
  Host& host = any_core();
  switch (below(4)) {
    case 0:
      host.reports_blocked = !host.reports_blocked;
      break;
    case 1:
      host.older_pulse = !host.older_pulse;
      break;
    default:
      host.reports_late = !host.reports_late;
  }
}

void Past::lists_differ() {
  if (!options_.is_static) {
    Host& host = any_host();
    host.list_fails = !host.list_fails;
    return;
  }
  // A list in the file that is changed on one node after the other: some lack a core for a while.
  const std::string lacking = any_core().address();
  for (Host* core : cluster_.cores()) {
    core->own_list.reset();
    if (core->address() == lacking || chance(0.5)) continue;
    core->own_list.emplace();
    for (const Host* other : cluster_.cores()) {
      if (other->address() != lacking) core->own_list->insert(other->address());
    }
  }
}

void Past::disturb() {
  switch (below(20)) {
    case 0:
    case 1:
    case 2:
      return roll_out();
    case 3:
      return cluster_.cores().size() < most_cores_ ? add_core(revision_) : remove_a_core();
    case 4:
    case 5:
      return remove_a_core();
    case 6:
      return evict_an_old_core();
    case 7:
      return replace_all_cores();
    case 8:
    case 9:
    case 10:
    case 11:
      return restart_something();
    case 12:
    case 13:
    case 14:
      return person_works();
    case 15:
      return edit_files();
    case 16:
      return reports_fail();
    case 17:
      if (chance(0.3)) return cluster_.discovery_fails(chance(0.5));
      return lists_differ();
    case 18:
      if (chance(0.4)) return cluster_.step_clock(any_host(), chance(0.5) ? 3600 : -3600);
      if (chance(0.4)) return static_cast<void>(cluster_.add_satellite());
      if (const auto satellites = cluster_.satellites(); !satellites.empty()) {
        return cluster_.remove(any(satellites).address());
      }
      return;
    default:
      if (Host& host = any_host(); !cluster_.is_down(host)) cluster_.person_empties_membership(host, chance(0.5));
  }
}

void Past::calm_down() {
  cluster_.disturb(false);
  cluster_.discovery_fails(false);
  for (auto& [address, host] : cluster_.hosts()) {
    host.list_fails = host.reports_blocked = host.reports_late = host.older_pulse = false;
    host.own_list.reset();
    host.clock_offset_s = 0;
    if (host.file.broken) ++host.file.identity;
    host.file.broken = false;
    // What a person has changed in memory only is forgotten: it isn't the plans' business.
    for (size_t i = 0; i < kFileModulesHere; ++i) {
      ModuleState& module = host.proxysql.modules[i];
      if (module.edited_in_memory) module.memory = module.runtime;
      module.edited_in_memory = false;
    }
  }
}

// Until everything is as it should be, in bounded time; then nobody writes.
bool Past::comes_to_rest(const std::string& when) {
  constexpr int64_t kStepMs = 1000, kPatienceMs = 180'000;
  const int64_t since = cluster_.now_ms();
  calm_down();
  if (cluster_.has_epochs_ahead()) return cluster_.run(kPatienceMs) || (problem_ = broken(when), false);
  std::string why = cluster_.unsettled(since);
  while (!why.empty() && cluster_.now_ms() - since < kPatienceMs) {
    if (!cluster_.run(kStepMs)) return problem_ = broken(when), false;
    why = cluster_.unsettled(since);
  }
  if (!why.empty()) return problem_ = broken("not at rest " + when + ": " + why), false;
  // What is under way may still disturb it: a pull, a load that waits for its time. What has settled stays.
  if (!cluster_.run(70'000)) return problem_ = broken(when), false;
  const int64_t writes = cluster_.writes();
  if (!cluster_.run(20'000)) return problem_ = broken(when), false;
  why = cluster_.unsettled(since);
  if (!why.empty()) return problem_ = broken("not at rest any more " + when + ": " + why), false;
  if (cluster_.writes() != writes) return problem_ = broken("still writing " + when), false;
  return true;
}

std::string Past::run() {
  begin();
  if (chance(0.8) && !comes_to_rest("at first")) return problem_;
  cluster_.disturb(true);
  const int64_t events = most_cores_ > 6 ? 1 + below(5) : 1 + below(14);
  for (int64_t i = 0; i < events; ++i) {
    disturb();
    const int64_t pause = below(4) == 0 ? 0 : below(3) == 0 ? below(60'000) : below(8000);
    if (!cluster_.run(pause)) return broken("on the way");
  }
  comes_to_rest("in the end");
  return problem_;
}

}  // namespace pulse::model
