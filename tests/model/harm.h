// What counts as harm: rows that go or come although nobody has said so. A person says something by loading it at the
// admin interface, the newest revision's file says it when it first counts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/proxysql_node.h"

namespace pulse::model {

class Harm {
 public:
  // Somebody has said that the module is to hold these rows.
  void says(size_t module, const Rows& rows, int64_t now_ms, bool is_person, const std::string& who);

  // ProxySQL itself has put older rows in the place of what was said last: either may win.
  void doubts(size_t module, const Rows& rows, int64_t now_ms);

  // A file of this revision counts from now on, unless an earlier one said the same already. For a rollout or an edit.
  void file_says(size_t module, const Rows& rows, int64_t revision, int64_t now_ms, const std::string& who);

  // This file is loaded, as it may be.
  void file_is_loaded(size_t module, const Rows& rows, int64_t now_ms, const std::string& who);

  // This file has been loaded, for certain; or it holds what was.
  void applied(size_t module, const Rows& rows, int64_t revision);
  bool is_loaded(size_t module, const Rows& rows) const { return rows == loaded_[module]; }

  // A person has written these rows into a file: they may be loaded once, also where they go back to earlier ones.
  void is_written(size_t module, const Rows& rows) { written_[module].push_back(rows); }

  // Nobody knows any more what was applied.
  void starts_over(size_t module) {
    loaded_[module] = certain_[module] = {};
    revision_[module] = announced_[module] = 0;
  }

  // Whether a core of this revision may load these rows from its file: nobody has loaded them last, and no later
  // revision's.
  // `is_known`: some core remembers that they were applied, from a file of this revision or a later one.
  bool may_load(size_t module, const Rows& rows, int64_t revision, bool is_known) const;

  // Words that no core holds any more, lost with their only holder, aren't waited for.
  template <class IsHeld>
  void forget_lost(size_t module, IsHeld is_held) {
    auto& all = said_[module];
    for (size_t i = all.size(); i-- > 1 && !is_held(all[i].rows);) all[i].is_doubtful = true;
  }

  // What is wrong about serving `after` instead of `before`; "" if nothing is. Words of the last seconds count beside
  // the last one: loads that cross each other may end either way.
  std::string judge(size_t module, const Rows& before, const Rows& after, int64_t now_ms) const;

  // Whether anybody ever said exactly this.
  bool was_said(size_t module, const Rows& rows) const;

  // Whether the module may rest with these rows.
  bool may_rest(size_t module, const Rows& rows, int64_t now_ms) const;

  std::string describe() const;

 private:
  struct Said {
    Rows rows;
    int64_t at_ms;
    bool is_person;
    bool is_announced;  // a file that is still to be loaded: until then, what was said before counts, too
    bool is_doubtful;   // either this or what was said before
    std::string who;
  };
  std::vector<const Said*> candidates(size_t module, int64_t now_ms, int64_t window_ms, bool is_at_rest) const;

  std::array<std::vector<Said>, kFileModulesHere> said_;
  std::array<Rows, kFileModulesHere> last_file_;                    // that was said
  std::array<Rows, kFileModulesHere> loaded_, certain_;             // last; the same, once it was sure to last
  std::array<int64_t, kFileModulesHere> revision_{}, announced_{};  // of that
  std::array<std::vector<Rows>, kFileModulesHere> written_;         // by a person, and not loaded yet
};

}  // namespace pulse::model
