#include "scheduler/users/users_plan.h"

#include <algorithm>
#include <span>

#include "src/base/show.h"

namespace pulse {

namespace {

using Rows = std::span<const UserRow>;

// Walks through sorted rows name by name; names must be asked for in their order.
class ByName {
 public:
  explicit ByName(const UserRows& rows) : rows_(rows) {}

  Rows of(const std::string& name) {
    while (at_ < rows_.size() && rows_[at_].name < name) ++at_;
    const size_t first = at_;
    while (at_ < rows_.size() && rows_[at_].name == name) ++at_;
    return rows_.subspan(first, at_ - first);
  }

 private:
  Rows rows_;
  size_t at_ = 0;
};

bool is_hash(const std::string& password) { return password.size() == 41 && password.front() == '*'; }

// A password may be stored as it is in one place and as its hash in the other: whether these are the same isn't told.
bool same_password(const std::string& one, const std::string& other) {
  return one == other || is_hash(one) != is_hash(other);
}

class Planner {
 public:
  explicit Planner(const UsersPlanInput& input) : input_(input) {}

  UsersPlan run() {
    std::set<std::string> names;
    for (const UserRow& row : input_.memory) names.insert(row.name);
    for (const UserRow& row : input_.runtime) names.insert(row.name);
    for (const WantedUser& user : input_.selection.wanted) names.insert(user.name);
    ByName memory(input_.memory), runtime(input_.runtime);
    auto wanted = input_.selection.wanted.begin();
    for (const std::string& name : names) {
      const bool is_wanted = wanted != input_.selection.wanted.end() && wanted->name == name;
      look_at(name, memory.of(name), runtime.of(name), is_wanted ? wanted->hash : "");
      if (is_wanted) ++wanted;
    }
    sort(out_.memory);
    out_.served = as_served(out_.memory);
    out_.loads = !first_difference(out_.served, input_.runtime).empty();
    refuse();
    return std::move(out_);
  }

 private:
  bool ours(const UserRow& row) const { return is_ours(row, input_.mark); }
  bool all_ours(Rows rows) const {
    return std::all_of(rows.begin(), rows.end(), [&](const UserRow& row) { return ours(row); });
  }
  bool is_removed(const UserRow& row) const { return row.comment == removed_comment(input_.mark); }

  // `hash` is "" for a name that isn't wanted.
  void look_at(const std::string& name, Rows memory, Rows runtime, const std::string& hash) {
    if (!all_ours(memory) || !all_ours(runtime)) {
      if (differs_by_hand(memory, runtime)) note_edit(name);
      if (!hash.empty()) out_.by_hand.insert(name);
      out_.memory.insert(out_.memory.end(), memory.begin(), memory.end());
      return;
    }
    if (was_edited(memory, runtime)) note_edit(name);
    if (!runtime.empty()) ++own_;
    if (!hash.empty()) {
      keep(name, memory, hash);
    } else if (input_.selection.kept.count(name) != 0) {
      out_.memory.insert(out_.memory.end(), memory.begin(), memory.end());
    } else {
      take_out(name, memory, runtime);
    }
  }

  // Rows of ours that a load would change for somebody who has begun to edit them: attributes, and one that was
  // switched off. What a sync sets itself may differ: it was ended before its load.
  bool was_edited(Rows memory, Rows runtime) const {
    for (const UserRow& row : memory) {
      for (const UserRow& served : runtime) {
        if (served.backend ? !row.backend : !row.frontend) continue;
        if (!row.active) return !is_removed(row);
        if (row.rest != served.rest) return true;
      }
    }
    return false;
  }

  static bool differs_by_hand(Rows memory, Rows runtime) {
    const UserRows served = as_served({memory.begin(), memory.end()});
    return !std::equal(served.begin(), served.end(), runtime.begin(), runtime.end(),
                       [](const UserRow& one, const UserRow& other) {
                         UserRow same = one;
                         same.password = other.password;
                         return same == other && same_password(one.password, other.password);
                       });
  }

  void note_edit(const std::string& name) {
    if (edits_++ == 0) edited_ = name;
  }

  void keep(const std::string& name, Rows memory, const std::string& hash) {
    if (memory.empty()) {
      UserRow row;
      row.name = name;
      row.password = hash;
      row.comment = input_.mark;
      row.hostgroup = hostgroup_of(input_.hostgroups, name);
      row.rest = rest_of_new_row(input_.table, row.hostgroup);
      write(std::move(row), &out_.added);
      return;
    }
    for (const UserRow& row : memory) {
      UserRow meant = row;
      meant.password = hash;
      if (is_removed(row)) {  // taken out, and there again before the row was gone
        meant.active = true;
        meant.comment = input_.mark;
      }
      if (meant == row) {
        out_.memory.push_back(row);
      } else {
        write(std::move(meant), &out_.changed);
      }
    }
  }

  void take_out(const std::string& name, Rows memory, Rows runtime) {
    const bool serves =
        !runtime.empty() || std::any_of(memory.begin(), memory.end(), [](const UserRow& row) { return row.active; });
    if (serves) out_.removed.insert(name);
    for (const UserRow& row : memory) {
      UserRow meant = row;
      meant.active = false;
      meant.comment = removed_comment(input_.mark);
      out_.sweeps = true;
      if (meant == row) {
        out_.memory.push_back(row);
      } else {
        write(std::move(meant), nullptr);
      }
    }
  }

  void write(UserRow row, std::set<std::string>* names) {
    if (names != nullptr) names->insert(row.name);
    out_.memory.push_back(row);
    out_.writes.push_back(std::move(row));
  }

  void refuse() {
    const std::string table = input_.table.table;
    if (input_.selection.wanted.empty()) {
      out_.refusal = "the server has no account that ProxySQL could have: nobody is removed; see --dry-run";
    } else if (edits_ != 0) {
      const std::string module = input_.table.module;
      out_.refusal = table + " in memory isn't what serves: " + edited_ +
                     (edits_ > 1 ? " and " + counted(edits_ - 1, "other user") : "") +
                     ", by somebody who hasn't loaded it: nothing is done, for a load would take that along. LOAD " +
                     module + " TO RUNTIME if it is meant, or SAVE " + module + " FROM RUNTIME and DELETE FROM " +
                     table + " WHERE active = 0 to throw it away";
    } else if (served_nobody()) {
      out_.refusal = table + " would be empty: not loaded";
    } else if (const size_t most = most_removals(own_, input_.most_removals_percent);
               out_.removed.size() > most && !input_.force) {
      out_.refusal = counted(out_.removed.size(), "user") + " of " + std::to_string(own_) + " would go, and " +
                     std::to_string(most) + " may at once (sync_users.most_removals_percent): nothing is done; " +
                     "--force does it, if --dry-run shows what you expect";
    }
  }

  bool served_nobody() const { return out_.served.empty(); }

  const UsersPlanInput& input_;
  UsersPlan out_;
  size_t own_ = 0;  // users of ours that serve
  size_t edits_ = 0;
  std::string edited_;
};

}  // namespace

UsersPlan plan_users(const UsersPlanInput& input) { return Planner(input).run(); }

size_t most_removals(size_t own, int64_t percent) {
  if (percent <= 0) return 0;
  return std::max<size_t>(own * static_cast<size_t>(percent) / 100, 1);
}

std::string first_difference(const UserRows& one, const UserRows& other) {
  const auto same = [](const UserRow& a, const UserRow& b) {
    return a.name == b.name && a.active == b.active && a.backend == b.backend && a.frontend == b.frontend &&
           a.rest == b.rest && same_password(a.password, b.password);
  };
  const auto [at, there] = std::mismatch(one.begin(), one.end(), other.begin(), other.end(), same);
  if (at == one.end() && there == other.end()) return "";
  if (at == one.end()) return there->name;
  if (there == other.end()) return at->name;
  return std::min(at->name, there->name);
}

}  // namespace pulse
