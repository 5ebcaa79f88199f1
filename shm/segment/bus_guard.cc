#include "shm/segment/bus_guard.h"

#include <signal.h>

namespace pulse {

namespace detail {
thread_local sigjmp_buf* bus_jump = nullptr;
}

namespace {

void on_bus_error(int signal_number) {
  if (detail::bus_jump != nullptr) siglongjmp(*detail::bus_jump, 1);
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

}  // namespace

void install_bus_guard() {
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  action.sa_flags = SA_NODEFER;  // the jump out of the handler doesn't restore the mask
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace pulse
