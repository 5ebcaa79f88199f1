#include "tests/model/harm.h"

#include <algorithm>

namespace pulse::model {

namespace {

// So long after a word an earlier one may still come through: a pull that is under way, a load that is put back.
constexpr int64_t kWindowMs = 20'000;
constexpr int64_t kRestWindowMs = 20'000;

bool has(const Rows& rows, const std::pair<const std::string, std::string>& row) {
  const auto found = rows.find(row.first);
  return found != rows.end() && found->second == row.second;
}

bool holds(const std::vector<Rows>& list, const Rows& rows) {
  return std::find(list.begin(), list.end(), rows) != list.end();
}

}  // namespace

void Harm::says(size_t module, const Rows& rows, int64_t now_ms, bool is_person, const std::string& who) {
  said_[module].push_back({rows, now_ms, is_person, false, false, who});
}

void Harm::doubts(size_t module, const Rows& rows, int64_t now_ms) {
  said_[module].push_back({rows, now_ms, false, false, true, "a pull of older rows"});
}

void Harm::file_says(size_t module, const Rows& rows, int64_t revision, int64_t now_ms, const std::string& who) {
  const bool is_first = said_[module].empty();
  if (!is_first && revision <= std::max(revision_[module], announced_[module])) return;
  announced_[module] = revision;
  if (rows == last_file_[module]) return;
  last_file_[module] = rows;
  said_[module].push_back({rows, now_ms, false, true, false, who});
}

void Harm::applied(size_t module, const Rows& rows, int64_t revision) {
  if (revision < revision_[module]) return;
  revision_[module] = revision;
  loaded_[module] = certain_[module] = rows;
}

void Harm::file_is_loaded(size_t module, const Rows& rows, int64_t now_ms, const std::string& who) {
  says(module, rows, now_ms, false, who + ", loaded");
  loaded_[module] = last_file_[module] = rows;
  std::erase(written_[module], rows);
}

bool Harm::may_load(size_t module, const Rows& rows, int64_t revision, bool is_known) const {
  if (holds(written_[module], rows)) return true;
  const bool is_news = rows != loaded_[module] || rows != certain_[module];
  return revision >= revision_[module] && is_news && !is_known;
}

std::vector<const Harm::Said*> Harm::candidates(size_t module, int64_t now_ms, int64_t window_ms,
                                                bool is_at_rest) const {
  std::vector<const Said*> list;
  for (auto said = said_[module].rbegin(); said != said_[module].rend(); ++said) {
    list.push_back(&*said);
    if (said->at_ms + window_ms < now_ms && !said->is_doubtful && (is_at_rest || !said->is_announced)) break;
  }
  return list;
}

std::string Harm::judge(size_t module, const Rows& before, const Rows& after, int64_t now_ms) const {
  const auto words = candidates(module, now_ms, kWindowMs, false);
  const auto any = [&](const auto& row, bool wanted) {
    return std::any_of(words.begin(), words.end(), [&](const Said* said) { return has(said->rows, row) == wanted; });
  };
  for (const auto& row : before) {
    if (!has(after, row) && !any(row, false)) return "lost " + row.first + "=" + row.second;
  }
  for (const auto& row : after) {
    if (!has(before, row) && !any(row, true)) return "got " + row.first + "=" + row.second;
  }
  return "";
}

bool Harm::was_said(size_t module, const Rows& rows) const {
  const auto& all = said_[module];
  return std::any_of(all.begin(), all.end(), [&](const Said& said) { return said.rows == rows; });
}

bool Harm::may_rest(size_t module, const Rows& rows, int64_t now_ms) const {
  const auto words = candidates(module, now_ms, kRestWindowMs, true);
  return std::any_of(words.begin(), words.end(), [&](const Said* said) { return said->rows == rows; });
}

std::string Harm::describe() const {
  std::string text;
  for (size_t i = 0; i < kFileModulesHere; ++i) {
    for (const Said& said : said_[i]) {
      text += std::to_string(said.at_ms) + " " + said.who + " said " + name_of(i) + " " + shown(said.rows) + "\n";
    }
  }
  return text;
}

}  // namespace pulse::model
