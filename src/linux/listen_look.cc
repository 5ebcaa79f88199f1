#include "src/linux/listen_look.h"

#include "src/linux/interfaces.h"

namespace pulse {

Result<ListenState> ListenLook::read(Deadline deadline) {
  if (only_inode_ != 0 && !whole_until_.passed()) {
    auto found = finder_.find(static_cast<uint16_t>(interface_.port), interface_.host, deadline);
    if (found && found->sockets == 1 && found->inodes.front() == only_inode_) return found;
  }
  ++whole_readings_;
  auto state = read_listen_state(interface_, deadline);
  only_inode_ = state && state->sockets == 1 && !interface_.is_socket() ? state->inodes.front() : 0;
  whole_until_ = Deadline::after(kWholeAgain);
  return state;
}

}  // namespace pulse
