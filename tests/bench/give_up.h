// How a program ends that only has a conversation, without more than the C library.
#pragma once

#include <errno.h>
#include <string.h>
#include <unistd.h>

namespace pulse::bench {

[[noreturn]] inline void give_up(const char* why) {
  const char* const parts[] = {program_invocation_short_name, ": ", why, "\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, strlen(part)) < 0) break;
  }
  _exit(1);
}

}  // namespace pulse::bench
