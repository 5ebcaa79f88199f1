// Where log lines go. Writing one never waits for whoever reads them: stderr is ProxySQL's own too, so it can't be made
// non-blocking.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

// Takes a whole line, its end included. Called under a lock of its own.
using LogOutput = void (*)(std::string line);

// Instead of write_to_stderr(). To be called before there is a second thread.
void set_log_output(LogOutput output);

// Writes to stderr as much as it takes at once, having waited for 20 ms at most, for the first line that has to wait.
// What doesn't go is dropped, and the next line that does is preceded by one that says how many were.
void write_to_stderr(std::string line);

// Writes `text` as far as `fd` takes it without waiting for longer than `patience_ms`. Returns how much it was. Needs
// no descriptor that is non-blocking. Pipes are given no more than fits for certain; another process that writes to the
// same pipe in the same instant can still take the place.
size_t write_what_fits(int fd, std::string_view text, int patience_ms);

}  // namespace pulse
