// Faults that tests plant.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/kubernetes-double/journal.h"

namespace kubernetes_double {

enum class FaultKind {
  status,             // an HTTP status: 401 403 410 429 500 503
  slow,               // one byte each 0.2 s
  hang,               // the request is never answered
  hang_watch_silent,  // the watch stays open and nothing comes
  truncated,          // FIN in the middle of the JSON
  malformed,          // not JSON
  empty,              // a list without items; a watch that ends at once
  html,               // 200 text/html
  reset,              // RST
  lost,               // what is asked for is done, then RST
  wrong_certificate,  // of another authority with the same name
  expired_certificate,
  wrong_name,  // a certificate for another host
};

// Where a fault can strike.
enum class Moment {
  connection,  // the TLS handshake
  request,     // before a request is answered
  open_watch,  // a watch that runs when the fault is planted
  event,       // before an event of a watch is sent
};

struct Fault {
  FaultKind kind = FaultKind::status;
  int status = 0;                  // of FaultKind::status
  std::optional<RequestKind> hit;  // list, watch, lease or apps; else any request
  int times = -1;                  // -1: until cleared
  std::string argument;
};

// Kind and status; nothing if there is no such kind.
std::optional<Fault> parse_fault(std::string_view kind);

// Thread-safe.
class Faults {
 public:
  // Faults queue up: of several that could strike, the one that was planted first does, until its times are over.
  // The same kind for the same requests is replaced.
  void plant(const Fault& fault);
  void clear();

  // The fault that strikes here and now; it counts as one of its times.
  std::optional<Fault> take(Moment moment, RequestKind request);

  // Grows with each clear(): what a fault keeps silent is dropped when it moves.
  uint64_t generation() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Fault> planted_;
  uint64_t generation_ = 0;
};

}  // namespace kubernetes_double
