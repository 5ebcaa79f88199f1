#include "scheduler/status/status_text.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "shm/record/core_record.h"
#include "shm/record/fork_cost.h"
#include "shm/record/job_runs.h"
#include "shm/record/leadership.h"
#include "shm/segment/names.h"
#include "shm/status/protocol_parts.h"
#include "src/base/host_port.h"
#include "src/base/show.h"
#include "src/base/utf8.h"
#include "src/config/client_ports.h"
#include "src/config/modules.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

constexpr size_t kIndent = 14;  // of values, behind their label

struct Item {
  std::string text;
  bool attention = false;  // shown before those that are well
};

// What stands beside one label: lines that are always shown, then those of a list.
struct Block {
  std::string label;
  std::vector<std::string> lines;
  std::vector<Item> list = {};
};

std::string number(uint64_t value) { return std::to_string(value); }

std::string counts(const BackendCounts& backends) {
  return number(backends.online) + " online, " + number(backends.shunned) + " shunned, " + number(backends.offline) +
         " offline";
}

std::string show_all(const std::vector<MysqlInterface>& interfaces) {
  std::string all;
  for (const MysqlInterface& one : interfaces) all += (all.empty() ? "" : ", ") + show(one);
  return all;
}

class Blocks {
 public:
  explicit Blocks(const StatusInput& input) : input_(input), view_(input.view), seen_(input.view.observation) {
    health();
    drain();
    beats();
    proxysql();
    if (input.config.role != Role::standalone || seen_.peers_count > 0) cores();
    if (input.config.is_core()) {
      authority();
      core_files();
      membership();
    }
    divergence();
    satellites();
    leader();
    jobs();
    discovery();
    members();
    segment();
  }

  std::vector<Block> take() { return std::move(blocks_); }

 private:
  std::string age(int64_t stamp_ns) const {
    return stamp_ns == 0 ? "never" : show_span(input_.now_ns - stamp_ns) + " ago";
  }

  Block& add(const char* label, std::vector<std::string> lines = {}) {
    blocks_.push_back({label, std::move(lines)});
    return blocks_.back();
  }

  void health() {
    const Verdict& verdict = input_.verdict;
    Block& state = add("state", {std::string(name(verdict.state)) + " (" + input_.config.role_name() + ")"});
    if (!verdict.message.empty()) state.lines.push_back(verdict.message);
    const auto probe = [&](const char* name, const Probe& from) {
      // What the state says already isn't said again.
      return name + std::string(from.passes                       ? " yes"
                                : from.message == verdict.message ? " NO"
                                                                  : " NO: " + from.message);
    };
    add("probes", {probe("ready", verdict.ready) + "; " + probe("live", verdict.live) + "; " +
                   probe("started", verdict.started)});
  }

  void drain() {
    const DrainRecord& last = view_.drain;
    if (last.number == 0) {
      add("drain", {"none"});
      return;
    }
    Block& block = add("drain", {std::string(name(static_cast<DrainPhase>(last.phase))) + ", outcome " +
                                 name(static_cast<DrainOutcome>(last.outcome)) + ", began " + age(last.began_ns)});
    const auto way = static_cast<DrainWay>(last.way);
    if (way != DrainWay::undecided) block.lines.push_back(std::string(name(way)) + ": " + reason(way));
    if (!text(last.message).empty() && text(last.message) != input_.verdict.message) {
      block.lines.emplace_back(text(last.message));
    }
  }

  void beats() {
    const BeatRecord& record = view_.record;
    add("heartbeat", {age(view_.last_beat_ns) + "; went through " + age(record.last_ok_ns)});
    if (!text(record.message).empty()) add("last error", {std::string(text(record.message))});
    add("attempts",
        {number(record.ok) + " ok, " + number(record.failed) + " failed, " + number(record.timed_out) + " timed out" +
         (record.killed_overdue == 0 ? "" : " (" + number(record.killed_overdue) + " of them killed)") +
         "; skipped: " + number(view_.skipped_busy) + " busy, " + number(view_.skipped_backoff) + " backing off"});
  }

  void proxysql() {
    const auto parts = protocol_parts(input_);
    std::vector<std::string> of_each;
    const bool are_two = parts.size() > 1 && (parts[1].served || parts[1].backends.total() > 0);
    for (size_t i = 0; i < parts.size(); ++i) {
      const ProtocolPart& part = parts[i];
      if (are_two) of_each.push_back(std::string(part.name) + ": " + counts(part.backends));
      if (part.port == nullptr) continue;
      const auto all = i == 0 ? input_.config.daemon.mysql_interfaces : pgsql_ports(input_.config.daemon);
      add(i == 0 ? "mysql port" : "pgsql port",
          {show_all(all) + (part.port->answers ? " answers" : " doesn't answer: " + part.port->reason) +
           (part.served ? "" : " (not served)") +
           (part.clients < 0 ? "" : ", " + std::to_string(part.clients) + " clients")});
    }
    Block& backends = add("backends", {counts(seen_.backends) + "; seen " + age(seen_.at_ns)});
    backends.lines.insert(backends.lines.end(), of_each.begin(), of_each.end());
    add("proxysql", {seen_.at_ns == 0 ? "not seen yet"
                                      : std::string(text(seen_.version)) + ", up " +
                                            show_span(input_.now_ns - seen_.proxysql_started_ns) +
                                            (seen_.configured != 0 ? ", configured" : ", not configured yet")});
    if (seen_.modules_left_out != 0) {
      add("modules", {number(seen_.modules_left_out) + " LEFT OUT: this Pulse has room for " + number(kModules)});
    }
    const double stall_ms = fork_cost_ms(seen_.memory);
    if (stall_ms < kDearForkMs) return;
    const uint64_t small_kb = seen_.memory.resident_kb - std::min(seen_.memory.huge_kb, seen_.memory.resident_kb);
    add("scheduler", {"EACH RUN STALLS CLIENTS for some " + number(static_cast<uint64_t>(stall_ms)) +
                      " ms: ProxySQL has " + number(small_kb >> 10) +
                      " MB in small pages. Let the daemon start the beats (daemon.beats), see docs/costs.md"});
  }

  void cores() {
    Block& block = add("cores");
    for (uint32_t i = 0; i < std::min<uint32_t>(seen_.peers_count, kPeers); ++i) {
      const Peer& peer = seen_.peers[i];
      const bool both = peer.in_runtime != 0 && peer.in_memory != 0;
      block.list.push_back({std::string(text(peer.hostname)) + ":" + std::to_string(peer.port) +
                                (peer.live != 0               ? " live"
                                 : peer.checked != 0          ? " DEAD"
                                 : seen_.no_cluster_user != 0 ? " never checked: admin-cluster_username isn't set"
                                                              : " not reached yet") +
                                (both                   ? ""
                                 : peer.in_runtime == 0 ? ", not at runtime"
                                                        : ", at runtime only"),
                            peer.live == 0 || !both});
    }
    if (seen_.peers_count > kPeers) {
      block.list.push_back({std::to_string(seen_.peers_count - kPeers) + " more: beats watch " +
                                std::to_string(kPeers) + " rows and take nobody beyond them for dead",
                            true});
    }
  }

  void authority() {
    const CoreRecord& core = view_.core;
    add("authority", {std::string(name(static_cast<Standing>(core.standing))) +
                      (text(core.reason).empty() ? "" : ": " + std::string(text(core.reason))) +
                      (core.waiting != 0 ? "; still to be loaded" : "")});
  }

  // Why ProxySQL doesn't bring the nodes together, and what does.
  std::string cause(const Module& module) const {
    const FileModule* known = find_file_module(text(module.name));
    const std::string load =
        std::string("LOAD ") + (known != nullptr ? known->command : "PROXYSQL SERVERS") + " TO RUNTIME";
    const bool unloaded = module.unloaded_peers == module.differing_peers;
    if (unloaded && module.version <= 1) {
      return ", because all are at version 1, which nobody pulls: " + load + " on the core whose content is right";
    }
    if (unloaded) return ", because they are at version 1, and pull this node's themselves if they check it";
    if (module.equal_epochs > 0) {
      return ", at equal epochs: ProxySQL doesn't sync over that; " + load + " on the core whose content is right";
    }
    if (module.older_peers != module.differing_peers) {
      return ", because theirs is newer: ProxySQL pulls it within some checks, or its log says why it can't";
    }
    return input_.config.is_core()
               ? ", because this node's is newer and they haven't pulled it: see status there"
               : ", because this node's own load is newer, as after a drain: it pulls again once a core runs " + load;
  }

  void membership() {
    const Dispute& dispute = view_.core.dispute;
    if (dispute.stopped_ns == 0) return;
    add("membership", {"DISPUTED for " + show_span(input_.now_ns - dispute.stopped_ns) +
                       ": other nodes undo what this one loads, so " +
                       "it takes nothing away; of the list:" + std::string(text(dispute.difference))});
  }

  // What of this core's file isn't applied, and what stays at version 1.
  void core_files() {
    const CoreRecord& core = view_.core;
    Block block{"files", {}, {}};
    for (uint32_t i = 0; i < std::min<size_t>(core.modules_count, kCoreModules); ++i) {
      const CoreModule& module = core.modules[i];
      const auto state = static_cast<FileState>(module.state);
      const bool waits = state != FileState::none && state != FileState::applied;
      const std::string kept(text(module.kept));
      if (waits && module.content != module.loaded) {
        block.list.push_back({std::string(text(module.name)) + " " + name(state) + ": " + std::string(text(module.why)),
                              state != FileState::other_counts});
      }
      if (!kept.empty()) block.list.push_back({"NOT UNLOCKED: " + kept, true});
      if (is_refused(module)) {
        block.list.push_back(
            {"NOT ALL TAKEN of " + std::string(text(module.name)) + ": " + std::string(text(module.refused)), true});
      }
    }
    if (!block.list.empty()) blocks_.push_back(std::move(block));
  }

  void divergence() {
    for (uint32_t i = 0; i < std::min<uint32_t>(seen_.modules_count, kModules); ++i) {
      const Module& module = seen_.modules[i];
      if (module.differing_peers == 0) continue;
      add("differs", {std::string(text(module.name)) + " from " + std::to_string(module.differing_peers) +
                      " cores for " + show_span(input_.now_ns - module.differs_since_ns) + cause(module)});
    }
  }

  // Of the core that asks them.
  void satellites() {
    if (!view_.satellites) return;
    Block block{"satellites", {}, {}};
    for (uint32_t i = 0; i < std::min<uint32_t>(view_.satellites->count, kStuckModules); ++i) {
      const StuckModule& stuck = view_.satellites->modules[i];
      const Mend* const mend = find_mend(view_, stuck);
      std::string line = host_port_text(text(stuck.address), stuck.port);
      if (!text(stuck.name).empty()) line.append(" ").append(text(stuck.name));
      line.append(" HAS ITS OWN ").append(text(stuck.module)).append(" for ");
      line.append(show_span(input_.now_ns - stuck.since_ns)).append(", and pulls no more");
      if (mend != nullptr && mend->loads != 0) {
        line.append("; loaded again for it ")
            .append(number(mend->loads))
            .append(" times, ")
            .append(age(mend->loaded_ns));
      }
      if (mend != nullptr && !text(mend->why).empty()) line.append("; not mended: ").append(text(mend->why));
      block.list.push_back({std::move(line), true});
    }
    if (!block.list.empty()) blocks_.push_back(std::move(block));
  }

  void leader() {
    const LeaderState& state = view_.leader;
    if (static_cast<LeaderMode>(state.mode) == LeaderMode::none) return;
    const Leadership now = leadership(state, state.boot_id, input_.now_ns);
    add("leader", {now.is_self       ? "this node, for " + show_span(state.valid_until_ns - input_.now_ns)
                   : now.other_leads ? std::string(text(state.holder))
                                     : "UNKNOWN: " + now.reason});
  }

  void jobs() {
    Block& block = add("jobs");
    for (const JobView& job : view_.jobs) {
      const JobState& state = job.state;
      std::string shown = std::string(text(state.name)) + ": ";
      if (job.running) shown += "runs for " + show_span(input_.now_ns - state.began_ns) + "; before: ";
      shown += name(outcome_of(state));
      if (state.ended_run != 0) shown += " " + age(state.ended_ns);
      if (!text(state.message).empty()) shown += ", " + std::string(text(state.message));
      shown +=
          "; " + number(state.outcomes[static_cast<size_t>(JobOutcome::ok)]) + " of " + number(state.ended_run) + " ok";
      if (job.skipped_busy != 0) shown += ", " + number(job.skipped_busy) + " skipped: busy";
      if (job.skipped_not_leader != 0) shown += ", " + number(job.skipped_not_leader) + " skipped: not leader";
      block.list.push_back({shown, state.consecutive_failures != 0});
    }
  }

  void discovery() {
    const Discovery& state = view_.discovery;
    if (static_cast<Source>(state.source) == Source::none) return;
    std::string shown = std::string(name(static_cast<Source>(state.source))) + ", list right " + age(state.ok_ns);
    if (state.members_left_out != 0) shown += ", " + std::to_string(state.members_left_out) + " left out";
    Block& block = add("discovery", {shown});
    if (state.failing_since_ns != 0) {
      block.lines.push_back("FAILING for " + show_span(input_.now_ns - state.failing_since_ns) + ": " +
                            std::string(text(state.error)));
    }
  }

  void members() {
    if (!view_.members) return;
    const Members& list = *view_.members;
    Block& block = add("members");
    uint32_t cores = 0, satellites = 0, not_ready = 0;
    for (uint32_t i = 0; i < std::min<uint32_t>(list.count, kMembers); ++i) {
      const Member& member = list.members[i];
      ++(member.is_core != 0 ? cores : satellites);
      if (member.ready == 0) ++not_ready;
      const std::string address(text(member.address));
      const bool in_table = member.is_core == 0 || find_peer(seen_, member) != nullptr;
      block.list.push_back({std::string(member.is_core != 0 ? "core " : "satellite ") +
                                host_port_text(address, member.port) +
                                (text(member.name).empty() ? "" : std::string(" ").append(text(member.name))) +
                                (member.is_self != 0 ? ", this node" : "") + (member.ready != 0 ? "" : ", not ready") +
                                (in_table ? "" : ", not in proxysql_servers"),
                            member.ready == 0 || !in_table});
    }
    block.lines.push_back(number(cores) + (cores == 1 ? " core, " : " cores, ") + number(satellites) +
                          (satellites == 1 ? " satellite" : " satellites") +
                          (not_ready == 0 ? "" : "; " + number(not_ready) + " not ready"));
  }

  void segment() {
    if (view_.resync_pending) add("resync", {"asked for, with the next beat"});
    if (!view_.problem.empty()) add("segment", {view_.problem});
    if (!view_.absent.empty()) add("segment", {view_.absent});
    if (!view_.lock_problem.empty()) add("lock", {view_.lock_problem});
  }

  const StatusInput& input_;
  const StateView& view_;
  const Observation& seen_;
  std::vector<Block> blocks_;
};

// A block's lines with the first `shown` of its list, each behind its label or as many spaces.
std::vector<std::string> lines_of(const Block& block, size_t shown, size_t columns) {
  std::vector<std::string> values = block.lines;
  for (size_t i = 0; i < std::min(shown, block.list.size()); ++i) values.push_back(block.list[i].text);
  if (shown < block.list.size()) values.push_back("and " + number(block.list.size() - shown) + " more");
  std::vector<std::string> lines;
  for (const std::string& value : values) {
    const size_t room = std::max<size_t>(1, columns - std::min(columns, kIndent));
    for (std::string& piece : columns == 0 ? std::vector<std::string>{value} : wrap(value, room)) {
      std::string label = lines.empty() ? block.label : "";
      label.resize(std::max(kIndent, label.size()), ' ');
      lines.push_back(label + piece);
    }
  }
  return lines;
}

}  // namespace

std::vector<std::string> wrap(const std::string& text, size_t columns) {
  std::vector<std::string> lines(1);
  size_t width = 0, space = std::string::npos;  // of the last line: its characters, where it may be broken
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = std::max<size_t>(1, utf8_length(rest));
    const unsigned char first = static_cast<unsigned char>(rest[0]);
    std::string character(rest.substr(0, length));
    if (first < ' ' || first == 0x7F || utf8_length(rest) == 0) character = "?";
    rest.remove_prefix(length);
    if (width == columns) {
      std::string tail;
      if (character == " ") {
        character.clear();  // a line ends at it
      } else if (space != std::string::npos) {
        tail = lines.back().substr(space + 1);
        lines.back().resize(space);
      }
      width = static_cast<size_t>(std::count_if(tail.begin(), tail.end(),
                                                [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
      lines.push_back(std::move(tail));
      space = std::string::npos;
    }
    if (character == " ") space = lines.back().size();
    if (!character.empty()) ++width;
    lines.back() += character;
  }
  return lines;
}

std::string status_text(const StatusInput& input) {
  constexpr size_t kShown = 20;
  std::string out;
  for (const Block& block : Blocks(input).take()) {
    for (const std::string& line : lines_of(block, kShown, 0)) out += line + "\n";
  }
  return out;
}

std::string status_screen(const StatusInput& input, size_t columns, size_t rows, const std::string& end) {
  std::vector<Block> blocks = Blocks(input).take();
  std::vector<size_t> shown;
  std::vector<std::vector<std::string>> lines;  // of each block
  size_t count = 0;
  const auto lay_out = [&](size_t i) {
    count -= lines[i].size();
    lines[i] = lines_of(blocks[i], shown[i], columns);
    count += lines[i].size();
  };
  for (Block& block : blocks) {
    std::stable_partition(block.list.begin(), block.list.end(), [](const Item& item) { return item.attention; });
    shown.push_back(std::min(block.list.size(), rows));
    lines.emplace_back();
    lay_out(lines.size() - 1);
  }
  // The longest list gives way, as often as need be.
  while (count > rows) {
    const auto longest = static_cast<size_t>(std::max_element(shown.begin(), shown.end()) - shown.begin());
    if (shown[longest] <= 1) break;
    --shown[longest];
    lay_out(longest);
  }
  // Then the longest text.
  while (count > rows) {
    size_t longest = 0;
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].list.empty() && lines[i].size() > lines[longest].size()) longest = i;
    }
    if (lines[longest].size() < 3) break;
    lines[longest].pop_back();
    std::string& last = lines[longest].back();
    last = wrap(last, std::max<size_t>(5, columns) - 4).front() + " ...";
    --count;
  }
  std::vector<std::string> screen;
  for (std::vector<std::string>& block : lines) std::move(block.begin(), block.end(), std::back_inserter(screen));
  if (screen.size() > rows && rows > 0) {
    const std::string more =
        "... and " + number(screen.size() - rows + 1) + " more lines: status without --watch shows all";
    screen.resize(rows);
    screen.back() = wrap(more, std::max<size_t>(1, columns)).front();
  }
  std::string out;
  for (const std::string& line : screen) out += line + end;
  return out;
}

}  // namespace pulse
