#include "daemon/health/client_ports.h"

#include <algorithm>

#include "src/linux/interfaces.h"

namespace pulse {

void note_served(std::vector<InterfaceVerdict>& all) {
  const bool any = std::any_of(all.begin(), all.end(), [](const auto& one) { return one.verdict.answers; });
  for (InterfaceVerdict& one : all) one.served = any && (one.served || one.verdict.answers);
}

PortVerdict merge_verdicts(const std::vector<InterfaceVerdict>& all, const PortVerdict& before) {
  if (all.size() == 1) return all.front().verdict;
  PortVerdict merged;
  merged.looked_at_ns = all.front().verdict.looked_at_ns;
  merged.listeners.emplace();
  bool all_served_answer = true;
  std::string fault, silent;
  const InterfaceVerdict* answering = nullptr;
  for (const InterfaceVerdict& one : all) {
    const PortVerdict& verdict = one.verdict;
    merged.looked_at_ns = std::min(merged.looked_at_ns, verdict.looked_at_ns);
    merged.ever_answered = merged.ever_answered || verdict.ever_answered;
    if (!verdict.listeners) merged.listeners.reset();
    if (merged.listeners && verdict.listeners) {
      merged.listeners->insert(merged.listeners->end(), verdict.listeners->begin(), verdict.listeners->end());
    }
    if (verdict.answers && answering == nullptr) answering = &one;
    if (verdict.answers) continue;
    if (one.served) all_served_answer = false;
    std::string& text = one.served ? fault : silent;
    if (text.empty()) text = one.name + ": " + verdict.reason;
  }
  merged.answers = answering != nullptr && all_served_answer;
  merged.how = answering != nullptr ? answering->verdict.how : all.front().verdict.how;
  merged.reason = !merged.answers  ? (fault.empty() ? silent : fault)
                  : silent.empty() ? answering->verdict.reason
                                   : answering->verdict.reason + "; " + silent;
  merged.since_ns = before.since_ns;
  if (merged.since_ns == 0 || before.answers != merged.answers) merged.since_ns = merged.looked_at_ns;
  return merged;
}

ClientPorts::ClientPorts(const std::vector<MysqlInterface>& interfaces, ClientPort::Mode mode, Greeter greet) {
  for (const MysqlInterface& interface : interfaces) {
    looks_.push_back(std::make_unique<ClientPort>(interface, mode, greet));
    all_.push_back({show(interface), {}, false});
  }
}

void ClientPorts::tick() {
  if (looks_.empty()) return;
  for (size_t i = 0; i < looks_.size(); ++i) {
    looks_[i]->tick();
    all_[i].verdict = looks_[i]->current();
  }
  note_served(all_);
  const std::lock_guard lock(mutex_);
  verdict_ = merge_verdicts(all_, verdict_);
}

PortVerdict ClientPorts::current() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

}  // namespace pulse
