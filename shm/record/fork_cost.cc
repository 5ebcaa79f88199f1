#include "shm/record/fork_cost.h"

namespace pulse {

double fork_cost_ms(const ProcessMemory& memory) {
  // Measured: some 10 ms for each MB that is copied, which is 20 ms for each GB of memory in small pages. Each huge
  // page has a table of 4 KB in reserve for its 2 MB, which counts in VmPTE and isn't copied.
  constexpr double kOfAMegabyte = 10;
  const uint64_t reserve_kb = memory.huge_kb / 512;
  if (memory.page_table_kb <= reserve_kb) return 0;
  return static_cast<double>(memory.page_table_kb - reserve_kb) / 1024 * kOfAMegabyte;
}

}  // namespace pulse
