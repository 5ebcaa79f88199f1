#include "tests/proxysql-double/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tests/proxysql-double/wire.h"

namespace proxysql_double {
namespace {

// Where to break an answer off: inside the header of the packet that crosses its middle.
size_t breaking_point(const std::string& answer) {
  size_t at = 0;
  while (at + 4 <= answer.size()) {
    const auto byte = [&](size_t i) { return size_t{static_cast<uint8_t>(answer[at + i])}; };
    const size_t next = at + 4 + (byte(0) | byte(1) << 8 | byte(2) << 16);
    if (next > answer.size() / 2) break;
    at = next;
  }
  return std::min(at + 2, answer.size());
}

// The answer without its last packet, which ends a result; other answers as they are.
Delivery endless(const std::string& answer) {
  constexpr size_t kEndPacket = 9;
  const bool result = answer.size() > 2 * kEndPacket && answer[4] != '\0' && answer[4] != '\xFF';
  if (!result) return {answer, "", Delivery::Then::go_on, 0, 0};
  return {answer.substr(0, answer.size() - kEndPacket), "", Delivery::Then::endless,
          static_cast<uint8_t>(answer[answer.size() - kEndPacket + 3]), static_cast<uint8_t>(answer[4])};
}

std::string garbage() {
  std::string bytes;
  uint32_t state = 0x2545F491;
  for (int i = 0; i < 64; ++i) {
    state = state * 1664525 + 1013904223;
    bytes.push_back(static_cast<char>(state >> 24));
  }
  return bytes;
}

}  // namespace

std::optional<Phase> parse_phase(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Phase>, 5> names = {{{"accept", Phase::accept},
                                                                        {"greeting", Phase::greeting},
                                                                        {"login", Phase::login},
                                                                        {"query", Phase::query},
                                                                        {"result", Phase::result}}};
  for (const auto& [name, phase] : names) {
    if (text == name) return phase;
  }
  return std::nullopt;
}

std::optional<FaultKind> parse_fault_kind(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, FaultKind>, 8> names = {{{"noaccept", FaultKind::noaccept},
                                                                            {"silence", FaultKind::silence},
                                                                            {"slow", FaultKind::slow},
                                                                            {"reset", FaultKind::reset},
                                                                            {"garbage", FaultKind::garbage},
                                                                            {"truncated", FaultKind::truncated},
                                                                            {"endless", FaultKind::endless},
                                                                            {"error", FaultKind::error}}};
  for (const auto& [name, kind] : names) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

Delivery shape(FaultKind kind, const std::string& answer, bool inside) {
  const size_t split = inside ? breaking_point(answer) : 0;
  const std::string before = answer.substr(0, split);
  switch (kind) {
    case FaultKind::none:
    case FaultKind::noaccept:
      return {answer, "", Delivery::Then::go_on, 0, 0};
    case FaultKind::silence:
      return {before, "", Delivery::Then::silence, 0, 0};
    case FaultKind::slow:
      return {before, answer.substr(split), Delivery::Then::go_on, 0, 0};
    case FaultKind::reset:
      return {before, "", Delivery::Then::reset, 0, 0};
    case FaultKind::garbage:
      return {before + garbage(), "", Delivery::Then::silence, 0, 0};
    case FaultKind::truncated:
      return {inside ? before : answer.substr(0, answer.size() / 2), "", Delivery::Then::close, 0, 0};
    case FaultKind::endless:
      return endless(answer);
    case FaultKind::error: {
      uint8_t sequence = answer.size() >= 4 ? static_cast<uint8_t>(answer[3]) : 1;
      const std::string packet = frame(sequence, error_payload(1045, "28000", "ProxySQL Admin Error: injected fault"));
      return {packet, "", Delivery::Then::go_on, 0, 0};
    }
  }
  return {answer, "", Delivery::Then::go_on, 0, 0};
}

void Faults::set(const Fault& fault) {
  const std::lock_guard lock(mutex_);
  std::erase_if(faults_, [&](const Fault& old) { return old.port == fault.port && old.phase == fault.phase; });
  faults_.push_back(fault);
}

void Faults::set_hold(const Hold& hold) {
  const std::lock_guard lock(mutex_);
  std::erase_if(holds_, [&](const Hold& old) { return old.match == hold.match; });
  holds_.push_back(hold);
}

void Faults::set_late_pull(const LatePull& pull) {
  const std::lock_guard lock(mutex_);
  late_pull_ = pull;
}

std::optional<std::string> Faults::take_late_pull(std::string_view statement) {
  const std::lock_guard lock(mutex_);
  if (late_pull_.times <= 0 || statement.find(late_pull_.match) == std::string_view::npos) return std::nullopt;
  --late_pull_.times;
  return late_pull_.module;
}

void Faults::clear() {
  const std::lock_guard lock(mutex_);
  late_pull_ = {};
  faults_.clear();
  holds_.clear();
  ++generation_;
}

FaultKind Faults::at(Port port, Phase phase, int nth, std::string_view statement) const {
  const std::lock_guard lock(mutex_);
  for (const Fault& fault : faults_) {
    if (fault.port != port || fault.phase != phase) continue;
    if (fault.nth != 0 && fault.nth != nth) continue;
    if (statement.find(fault.match) == std::string_view::npos) continue;
    return fault.kind;
  }
  return FaultKind::none;
}

std::optional<Hold> Faults::hold_for(std::string_view statement) const {
  const std::lock_guard lock(mutex_);
  for (const Hold& hold : holds_) {
    if (statement.find(hold.match) != std::string_view::npos) return hold;
  }
  return std::nullopt;
}

uint64_t Faults::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

}  // namespace proxysql_double
