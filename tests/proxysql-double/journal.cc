#include "tests/proxysql-double/journal.h"

#include <strings.h>

#include <chrono>

namespace proxysql_double {

bool only_reads(const std::string& statement) {
  const size_t start = statement.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return true;
  for (const std::string& verb :
       {std::string("SELECT"), std::string("SHOW"), std::string("PROXYSQL CLUSTER_NODE_UUID")}) {
    if (::strncasecmp(statement.c_str() + start, verb.c_str(), verb.size()) == 0) return true;
  }
  return false;
}

void Journal::add(const std::string& user, const std::string& statement) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::lock_guard lock(mutex_);
  ++statements_;
  ++by_user_[user];
  if (!only_reads(statement)) ++writes_;
  entries_.push_back(
      {++last_number_, std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), user, statement});
  if (entries_.size() > kCapacity) entries_.pop_front();
}

std::vector<JournalEntry> Journal::since(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  std::vector<JournalEntry> found;
  for (const JournalEntry& entry : entries_) {
    if (entry.number > number) found.push_back(entry);
  }
  return found;
}

uint64_t Journal::last_number() const {
  const std::lock_guard lock(mutex_);
  return last_number_;
}

uint64_t Journal::statements() const {
  const std::lock_guard lock(mutex_);
  return statements_;
}

uint64_t Journal::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

std::map<std::string, uint64_t> Journal::statements_by_user() const {
  const std::lock_guard lock(mutex_);
  return by_user_;
}

void Journal::saw_rows(const std::string& table, int64_t rows) {
  const std::lock_guard lock(mutex_);
  latest_[table] = rows;
  const auto fewest = fewest_.emplace(table, rows).first;
  if (rows < fewest->second) fewest->second = rows;
}

std::map<std::string, int64_t> Journal::fewest_rows() const {
  const std::lock_guard lock(mutex_);
  return fewest_;
}

void Journal::reset() {
  const std::lock_guard lock(mutex_);
  statements_ = 0;
  writes_ = 0;
  by_user_.clear();
  fewest_ = latest_;
}

}  // namespace proxysql_double
