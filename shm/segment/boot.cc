#include "shm/segment/boot.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "src/base/hash.h"
#include "src/base/unique_fd.h"

namespace pulse {

uint64_t machine_boot_id() {
  char text[64] = {};
  UniqueFd fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  const ssize_t length = fd ? ::read(fd.get(), text, sizeof text) : 0;
  return fnv1a({text, static_cast<size_t>(length > 0 ? length : 0)}) | 1;
}

bool is_same_boot(int64_t started_ns, int64_t other_started_ns) {
  return std::abs(started_ns - other_started_ns) < 2'000'000'000;
}

}  // namespace pulse
