#include "tests/proxysql-double/page_tables.h"

#include <sys/mman.h>

#include <cerrno>

namespace proxysql_double {

PageTables::~PageTables() { static_cast<void>(resize(0)); }

pulse::Result<void> PageTables::resize(size_t megabytes) {
  constexpr size_t kOfATable = 2 << 20;  // what one page of a page table stands for
  constexpr size_t kTablesOfAMegabyte = (1 << 20) / 4096;
  const std::lock_guard lock(mutex_);
  if (begin_ != nullptr) ::munmap(begin_, bytes_);
  begin_ = nullptr;
  if (megabytes == 0) return {};
  bytes_ = megabytes * kTablesOfAMegabyte * kOfATable;
  void* const begin = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) return pulse::system_error("map address space", errno);
  begin_ = begin;
  ::madvise(begin_, bytes_, MADV_NOHUGEPAGE);
  // Each read maps the kernel's page of zeros, in a table of its own.
  const volatile char* const first = static_cast<const char*>(begin_);
  for (size_t at = 0; at < bytes_; at += kOfATable) static_cast<void>(first[at]);
  return {};
}

}  // namespace proxysql_double
