// Probes at a fixed rate, and the hostile company that they may have to bear.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "src/base/unique_fd.h"

namespace pulse::bench {

struct LoadOptions {
  uint16_t port = 0;
  double rate = 0;  // requests per second
  std::chrono::milliseconds span{0};
  size_t kept_connections = 0;  // 0: a new connection for each request, as the kubelet does it
  const char* path = "/healthz/ready";
};

struct LoadResult {
  size_t planned = 0;
  size_t failed = 0;   // no answer within 5 s, not a complete answer, or not 200
  double rate = 0;     // good answers per second, from the first instant to the last answer
  std::string reason;  // of the first failure
  double p50_us = 0, p99_us = 0, p999_us = 0, most_us = 0;
  // Of that, what passed before this program could begin the request: the machine's own delay, and 99% stay below it.
  double late_p99_us = 0;
};

// GET on 127.0.0.1. Open loop: request i is due at i / rate whatever became of those before it, and its
// latency counts from that instant, not from when it could be sent.
LoadResult probe_load(const LoadOptions& options);

// Connections that never send a whole request, on a thread of their own: `half_open` that send nothing or half a
// request line, `slow` that send one byte per second. Each is opened again as soon as the server closes it.
class Crowd {
 public:
  Crowd(uint16_t port, size_t half_open, size_t slow);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd();

 private:
  void run(uint16_t port, size_t half_open, size_t slow) const;

  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace pulse::bench
