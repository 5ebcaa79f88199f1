#include "shm/record/fork_cost.h"

namespace pulse {

double fork_cost_ms(const ProcessMemory& memory) {
  // Measured: some 11 ms for each MB of page tables, which is 25 ms for each GB of memory; a tenth of it with huge
  // pages.
  constexpr double kOfAMegabyte = 11, kWithHugePages = 0.1;
  return static_cast<double>(memory.page_table_kb) / 1024 * kOfAMegabyte *
         (memory.huge_pages != 0 ? kWithHugePages : 1);
}

}  // namespace pulse
