// What admin clients have asked, and counters over it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace proxysql_double {

struct JournalEntry {
  uint64_t number = 0;  // from 1, over the double's whole life
  int64_t unix_ms = 0;
  std::string user;
  std::string statement;
};

// SELECT, SHOW or a cluster node introducing itself.
bool only_reads(const std::string& statement);

// Thread-safe.
class Journal {
 public:
  void add(const std::string& user, const std::string& statement);
  // Entries with a larger number, oldest first; at most the last 10,000.
  std::vector<JournalEntry> since(uint64_t number) const;
  uint64_t last_number() const;
  uint64_t statements() const;
  uint64_t writes() const;
  std::map<std::string, uint64_t> statements_by_user() const;

  // The lowest number of rows seen in each table.
  void saw_rows(const std::string& table, int64_t rows);
  std::map<std::string, int64_t> fewest_rows() const;

  // Entries keep their numbers; counters begin again.
  void reset();

 private:
  static constexpr size_t kCapacity = 10'000;
  mutable std::mutex mutex_;
  std::deque<JournalEntry> entries_;
  uint64_t last_number_ = 0;
  uint64_t statements_ = 0;
  uint64_t writes_ = 0;
  std::map<std::string, uint64_t> by_user_;
  std::map<std::string, int64_t> fewest_;
  std::map<std::string, int64_t> latest_;
};

}  // namespace proxysql_double
