#include "tests/kubernetes-double/faults.h"

#include <algorithm>
#include <map>

namespace kubernetes_double {
namespace {

bool is_connection_fault(FaultKind kind) {
  return kind == FaultKind::wrong_certificate || kind == FaultKind::expired_certificate ||
         kind == FaultKind::wrong_name;
}

bool strikes(const Fault& fault, Moment moment, RequestKind request) {
  const bool watch = request == RequestKind::watch;
  // 410 as the ERROR event of a watch.
  const bool is_event = fault.kind == FaultKind::status && fault.argument == "event";
  switch (moment) {
    case Moment::connection:
      return is_connection_fault(fault.kind);
    case Moment::request:
      if (is_connection_fault(fault.kind)) return false;
      if (fault.kind == FaultKind::hang_watch_silent || is_event) return watch;
      if (fault.kind == FaultKind::lost) return request == RequestKind::lease;
      if (fault.kind == FaultKind::truncated || fault.kind == FaultKind::malformed) return !watch;
      return true;
    case Moment::open_watch:
      return fault.kind == FaultKind::hang_watch_silent || fault.kind == FaultKind::reset ||
             fault.kind == FaultKind::slow || is_event;
    case Moment::event:
      return fault.kind == FaultKind::truncated || fault.kind == FaultKind::malformed;
  }
  return false;
}

}  // namespace

std::optional<Fault> parse_fault(std::string_view kind) {
  static const std::map<std::string_view, FaultKind> kinds = {{"slow", FaultKind::slow},
                                                              {"hang", FaultKind::hang},
                                                              {"hang-watch-silent", FaultKind::hang_watch_silent},
                                                              {"truncated", FaultKind::truncated},
                                                              {"malformed", FaultKind::malformed},
                                                              {"empty", FaultKind::empty},
                                                              {"html", FaultKind::html},
                                                              {"reset", FaultKind::reset},
                                                              {"lost", FaultKind::lost},
                                                              {"wrong-certificate", FaultKind::wrong_certificate},
                                                              {"expired-certificate", FaultKind::expired_certificate},
                                                              {"wrong-name", FaultKind::wrong_name}};
  Fault fault;
  if (const auto found = kinds.find(kind); found != kinds.end()) {
    fault.kind = found->second;
    return fault;
  }
  for (const int status : {401, 403, 410, 429, 500, 503}) {
    if (kind != std::to_string(status)) continue;
    fault.status = status;
    return fault;
  }
  return std::nullopt;
}

void Faults::plant(const Fault& fault) {
  const std::lock_guard lock(mutex_);
  std::erase_if(planted_, [&](const Fault& old) {
    return old.kind == fault.kind && old.status == fault.status && old.hit == fault.hit;
  });
  planted_.push_back(fault);
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  planted_.clear();
  ++generation_;
}

std::optional<Fault> Faults::take(Moment moment, RequestKind request) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(planted_.begin(), planted_.end(), [&](const Fault& fault) {
    const bool hit = moment == Moment::connection || !fault.hit || *fault.hit == request;
    return hit && strikes(fault, moment, request);
  });
  if (found == planted_.end()) return std::nullopt;
  const Fault fault = *found;
  if (found->times > 0 && --found->times == 0) planted_.erase(found);
  return fault;
}

uint64_t Faults::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

}  // namespace kubernetes_double
