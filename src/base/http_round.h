// One GET to each of several hosts, side by side, with a deadline for each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

struct PeerAddress {
  std::string host;  // numeric, without brackets
  uint16_t port = 0;
};

struct RoundLimits {
  milliseconds within{1000};       // of one answer, from connecting to its last byte
  size_t at_once = 8;              // connections
  size_t most_bytes = 256 * 1024;  // of one answer
};

// The bodies of the answers with status 200, in the order of `peers`; an error says why there is none. Plain HTTP/1.1,
// and an answer is read to its Content-Length, or to the end of the connection. Blocks until all have answered or are
// late; ends at once, with errors, when `stop_fd` becomes readable.
std::vector<Result<std::string>> ask_all(const std::vector<PeerAddress>& peers, const std::string& path,
                                         const RoundLimits& limits, int stop_fd);

// The body of `answer`, of which all that the peer sends has come if `ended`. No value: more is to come.
struct HttpBody {
  bool complete = false;
  Result<std::string> body = Error{""};  // of a complete one
};
HttpBody body_of(std::string_view answer, bool ended);

}  // namespace pulse
