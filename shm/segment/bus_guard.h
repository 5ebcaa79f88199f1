// Access to a mapped file that may be cut short meanwhile.
#pragma once

#include <csetjmp>

namespace pulse {

// Runs `access`, which reads or writes a mapping and owns nothing that needs a destructor, and returns true; false
// if the file was cut short under it (SIGBUS). install_bus_guard() must have been called once in this process.
void install_bus_guard();
namespace detail {
extern thread_local sigjmp_buf* bus_jump;
}
template <class Access>
[[nodiscard]] bool guarded(Access&& access) {
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0) != 0) {
    detail::bus_jump = nullptr;
    return false;
  }
  detail::bus_jump = &jump;
  access();
  detail::bus_jump = nullptr;
  return true;
}

}  // namespace pulse
