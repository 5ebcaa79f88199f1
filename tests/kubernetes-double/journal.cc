#include "tests/kubernetes-double/journal.h"

#include <chrono>

namespace kubernetes_double {

const char* to_text(RequestKind kind) {
  switch (kind) {
    case RequestKind::list:
      return "list";
    case RequestKind::watch:
      return "watch";
    case RequestKind::lease:
      return "lease";
    case RequestKind::apps:
      return "apps";
    case RequestKind::other:
      break;
  }
  return "other";
}

uint64_t Journal::begin(RequestKind kind, std::string_view target, std::string_view user_agent) {
  using std::chrono::system_clock;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
  const std::lock_guard lock(mutex_);
  entries_.push_back({++last_number_, now.count(), kind, std::string(target), std::string(user_agent), 0});
  if (entries_.size() > 10'000) entries_.pop_front();
  ++by_kind_[kind];
  return last_number_;
}

void Journal::answered(uint64_t number, int status) {
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (entry->number != number) continue;
    entry->status = status;
    return;
  }
}

std::vector<JournalEntry> Journal::since(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  std::vector<JournalEntry> found;
  for (const JournalEntry& entry : entries_) {
    if (entry.number > number) found.push_back(entry);
  }
  return found;
}

uint64_t Journal::last_number() const {
  const std::lock_guard lock(mutex_);
  return last_number_;
}

std::string Journal::last_user_agent() const {
  const std::lock_guard lock(mutex_);
  return entries_.empty() ? "" : entries_.back().user_agent;
}

std::map<RequestKind, uint64_t> Journal::by_kind() const {
  const std::lock_guard lock(mutex_);
  return by_kind_;
}

void Journal::reset() {
  const std::lock_guard lock(mutex_);
  by_kind_.clear();
  for (auto* counter :
       {&pages, &events, &bytes_in, &bytes_out, &unauthorized, &connections_total, &handshakes_failed}) {
    *counter = 0;
  }
}

}  // namespace kubernetes_double
