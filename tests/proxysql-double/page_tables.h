// Page tables as a ProxySQL of some gigabytes has them: a scheduler's fork() copies them.
#pragma once

#include <cstddef>
#include <mutex>

#include "src/base/result.h"

namespace proxysql_double {

// Thread-safe.
class PageTables {
 public:
  PageTables() = default;
  PageTables(const PageTables&) = delete;
  PageTables& operator=(const PageTables&) = delete;
  ~PageTables();

  // Makes page tables of so many megabytes beside the program's own, by address space that takes no memory; 0: none.
  pulse::Result<void> resize(size_t megabytes);

 private:
  std::mutex mutex_;
  void* begin_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace proxysql_double
