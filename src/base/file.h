// Files that are read whole.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "src/base/result.h"

namespace pulse {

// What read_text() reads at most. Nothing that people write by hand is larger.
inline constexpr size_t kMostBytes = 16 << 20;

// Reads a file of any kind, also one whose size isn't known before, such as a pipe, and waits for one. What is beyond
// `most` bytes is left out. An error is "PATH: REASON", its code the errno.
Result<std::string> read_text(const std::string& path, size_t most = kMostBytes);

// The same without a wait: a pipe that nobody writes to is empty, one that nothing has come through yet is an error.
Result<std::string> read_text_at_once(const std::string& path, size_t most = kMostBytes);

// Reads from `fd` into `text`, from its position `from` on, until `text` is full or the file ends: with one read(2) as
// a rule. Returns the bytes read, or -1 and errno.
ssize_t read_into(int fd, std::string& text, size_t from = 0);

}  // namespace pulse
