#include "daemon/discovery/discovery.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "daemon/discovery/dns_source.h"
#include "daemon/discovery/member_list.h"
#include "daemon/discovery/pod_source.h"
#include "shm/segment/boot.h"
#include "src/base/host_port.h"
#include "src/base/log.h"
#include "src/base/show.h"

namespace pulse {

namespace {

constexpr milliseconds kTurn{500};
constexpr milliseconds kLongestTurn{15'000};
constexpr milliseconds kGather{10};
constexpr milliseconds kStopWithin{250};
// So long a list with new cores waits for their revisions: a core whose revision isn't known is taken for one whose
// workload has none.
constexpr int64_t kHoldFor = 2'000'000'000;
constexpr int64_t kOwnCheckEvery = 30'000'000'000;

// The addresses of this host that others could reach it by.
std::vector<std::string> interface_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const int family = at->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const void* const from =
        family == AF_INET ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr)
                          : &reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr;
    char host[INET6_ADDRSTRLEN] = {};
    if (::inet_ntop(family, from, host, sizeof host) != nullptr) addresses.emplace_back(host);
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

std::vector<Found> fixed_members(const Config& config) {
  std::vector<Found> found;
  for (const std::string& text : config.discovery.members) {
    const auto parsed = parse_host_port(text, config.discovery.port);
    if (!parsed) continue;  // load_config() has refused such
    Found member;
    member.address = parsed->host;
    member.port = parsed->port;
    member.is_core = member.ready = true;
    found.push_back(std::move(member));
  }
  return found;
}

// A list that nobody asks anybody for can't fail, change or hang: it is only to be said often enough that no beat takes
// it for old.
milliseconds turn_of(const Config& config) {
  const bool asks = config.discovery.source == Source::kubernetes || config.discovery.source == Source::dns;
  return asks ? kTurn : std::clamp(config.discovery.max_age / 4, kTurn, kLongestTurn);
}

}  // namespace

Discovery merge_looks(const std::vector<SourceLook>& looks, const NoCore& no_core) {
  Discovery state{};
  const SourceLook* failing = nullptr;
  for (const SourceLook& look : looks) {
    const bool first = &look == &looks.front();
    state.ok_ns = first ? look.ok_ns : std::min(state.ok_ns, look.ok_ns);
    state.looked_ns = std::max(state.looked_ns, look.looked_ns);
    state.failures += look.failures;
    if (look.failing_since_ns != 0 && (failing == nullptr || look.failing_since_ns < failing->failing_since_ns)) {
      failing = &look;
    }
    if (!look.found) state.ok_ns = 0;
  }
  state.failures += no_core.times;
  if (failing != nullptr) {
    state.failing_since_ns = failing->failing_since_ns;
    set_text(state.error, failing->error);
  }
  if (no_core.since_ns != 0) {
    state.ok_ns = no_core.ok_ns;
    state.failing_since_ns = failing == nullptr ? no_core.since_ns : std::min(no_core.since_ns, state.failing_since_ns);
    set_text(state.error, "no core among the members found: the last list that had one stays");
  }
  return state;
}

Discoverer::Discoverer(const Config& config, SegmentSource segment, std::function<void()> published)
    : config_(std::make_shared<const Config>(config)),
      segment_source_(std::move(segment)),
      published_(std::move(published)),
      boot_id_(machine_boot_id()),
      wakeup_(std::make_shared<Wakeup>()) {
  add_parts();
  publisher_ = std::thread([this] { publish_until_stopped(); });
}

Discoverer::~Discoverer() { stop(); }

void Discoverer::add_parts() {
  const auto config = config_;
  switch (config->discovery.source) {
    case Source::kubernetes:
      for (const bool is_core : {true, false}) {
        const PodQuery query{is_core, is_core ? config->discovery.kubernetes.core_selector
                                              : config->discovery.kubernetes.satellite_selector};
        follow([config, query](const SourceLink& link) { follow_pods(*config, query, link); });
      }
      // Only a core whose file's authority goes by revisions needs them.
      if (config->is_core() && config->core.authority != Authority::never &&
          config->core.authority != Authority::always) {
        revisions_ = std::make_unique<RevisionSource>(config, wakeup_);
      }
      break;
    case Source::dns:
      follow([config](const SourceLink& link) {
        follow_names(*config, link, [](const std::string& host, Deadline deadline, int stop_fd) {
          return look_up(host, deadline, stop_fd);
        });
      });
      break;
    case Source::fixed:
      parts_.push_back({make_link(), {}});
      parts_.back().link.status->found(fixed_members(*config));
      parts_.back().link.status->hold();
      break;
    case Source::none:
      break;
  }
}

SourceLink Discoverer::make_link() const {
  return {std::make_shared<SourceStatus>(wakeup_), std::make_shared<CallWatch>()};
}

void Discoverer::follow(std::function<void(const SourceLink&)> source) {
  SourceLink link = make_link();
  std::thread thread([source = std::move(source), link] {
    for (bool again = true; again;) {
      again = false;
      try {
        source(link);
      } catch (const std::exception& failure) {  // out of memory, say
        link.calls->nothing_due();
        link.status->failed(failure.what());
        again = link.calls->pause(std::chrono::seconds(10));
      }
    }
    link.calls->ended();
  });
  parts_.push_back({std::move(link), std::move(thread)});
}

bool Discoverer::stop() {
  if (stopping_.exchange(true)) return all_ended_;
  wakeup_->wake();
  publisher_.join();
  for (Part& part : parts_) part.link.calls->stop();
  const Deadline deadline = Deadline::after(kStopWithin);
  for (Part& part : parts_) {
    if (!part.thread.joinable()) continue;
    if (part.link.calls->wait_ended(deadline.left())) {
      part.thread.join();
    } else {
      part.thread.detach();
      all_ended_ = false;
    }
  }
  if (revisions_ && !revisions_->stop(deadline)) all_ended_ = false;
  return all_ended_;
}

void Discoverer::publish_until_stopped() {
  while (!stopping_) {
    try {
      turn();
    } catch (const std::exception& failure) {
      log_error(std::string("discovery: ") + failure.what());
    }
    // What comes together is published together: a list of a thousand pods that all start would be written as often.
    const milliseconds turn = segment_source_() ? turn_of(*config_) : kTurn;  // one that appears is filled at once
    if (wakeup_->wait(turn) && !stopping_) std::this_thread::sleep_for(kGather);
  }
}

void Discoverer::turn() {
  const int64_t now = boottime_ns();
  std::vector<SourceLook> looks;
  looks.reserve(parts_.size());
  for (const Part& part : parts_) looks.push_back(part.link.status->look(now, part.link.calls->look(now)));
  if (revisions_) revisions_->watch(now);
  rebuild(looks, now);
  Discovery state = merge_looks(looks, no_core_);
  if (held_since_ns_ != 0) state.ok_ns = members_ ? std::min(state.ok_ns, held_since_ns_) : 0;
  set_text(state.no_revisions, no_revisions_);
  state.boot_id = boot_id_;
  state.source = static_cast<uint8_t>(config_->discovery.source);
  state.members_left_out = left_out_;
  if (state.ok_ns != 0 && no_core_.since_ns == 0) no_core_.ok_ns = state.ok_ns;
  write(state);
  tell(state);
  tell_change(now);
  tell_revisions();
}

void Discoverer::rebuild(const std::vector<SourceLook>& looks, int64_t now_ns) {
  const auto complete = [](const SourceLook& look) { return look.found != nullptr; };
  if (looks.empty() || !std::all_of(looks.begin(), looks.end(), complete)) return;
  bool changed = found_.size() != looks.size();
  for (size_t i = 0; i < looks.size() && !changed; ++i) changed = found_[i] != looks[i].found;
  if (changed || now_ns - own_checked_ns_ > kOwnCheckEvery) {
    own_checked_ns_ = now_ns;
    OwnAddresses own{config_->address, config_->admin.host, config_->admin.port, interface_addresses()};
    changed = changed || own != own_;
    own_ = std::move(own);
  }
  const uint64_t revisions_read = revisions_ ? revisions_->changes() : 0;
  if (!changed && revisions_read == revisions_read_) return;
  std::vector<Found> all;
  for (const SourceLook& look : looks) all.insert(all.end(), look.found->begin(), look.found->end());
  all = in_order(std::move(all));
  if (revisions_) {
    if (waits_for_revisions(all, now_ns)) return;
    revisions_read_ = revisions_read;
    no_revisions_ = revisions_->apply(all);
  }
  found_.clear();
  for (const SourceLook& look : looks) found_.push_back(look.found);
  const bool has_core = !all.empty() && all.front().is_core;
  if (!has_core) {
    if (no_core_.since_ns == 0) {
      no_core_.since_ns = now_ns;
      ++no_core_.times;
    }
    return;
  }
  no_core_.since_ns = 0;
  auto list = std::make_unique<Members>();
  left_out_ = fill(*list, all, own_);
  if (members_ && same_members(*members_, *list)) return;
  list->changed_ns = now_ns;
  list->boot_id = boot_id_;
  if (!told_) told_ = members_ ? std::move(members_) : std::make_unique<Members>();
  members_ = std::move(list);
  members_written_ = false;
}

// Has the cores' revisions asked, once for each list. True while one with a core that the published list lacks is to
// wait for the answers.
bool Discoverer::waits_for_revisions(const std::vector<Found>& members, int64_t now_ns) {
  const auto is_published = [&](const Found& core) {
    const auto same = [&](const Member& member) {
      return text(member.name) == core.name && text(member.address) == core.address &&
             member.created_at == core.created_at;
    };
    return members_ && std::any_of(members_->members.begin(), members_->members.begin() + members_->cores, same);
  };
  std::vector<Found> cores;
  std::copy_if(members.begin(), members.end(), std::back_inserter(cores),
               [](const Found& each) { return each.is_core; });
  const bool has_new = !std::all_of(cores.begin(), cores.end(), is_published);
  if (cores != asked_) {
    revisions_->ask(cores, has_new);
    asked_ = std::move(cores);
  }
  const bool answered = !has_new || revisions_->answered();
  if (!answered && held_since_ns_ == 0) held_since_ns_ = now_ns;
  const bool waits = !answered && now_ns - held_since_ns_ < kHoldFor;
  if (!waits) held_since_ns_ = 0;
  return waits;
}

void Discoverer::write(Discovery state) {
  const std::shared_ptr<Segment> segment = segment_source_();
  if (!segment) return segment_.reset();
  Layout& layout = segment->layout();
  const bool fresh = segment_.lock() != segment;
  if (fresh && inherited_ok_ns_ == 0 && state.ok_ns == 0) {
    // The daemon before this one may have looked a moment ago, and its list is still there.
    Discovery before{};
    bool read = false;
    if (!guarded([&] { read = layout.discovery.read(before); })) return;
    if (read && before.boot_id == boot_id_ && before.source == state.source) inherited_ok_ns_ = before.ok_ns;
  }
  if (fresh && members_) {
    const auto before = std::make_unique<Members>();
    bool read = false;
    if (!guarded([&] { read = layout.members.read(*before); })) return;
    if (read && before->boot_id == boot_id_ && same_members(*before, *members_)) {
      members_->changed_ns = before->changed_ns;
    }
  }
  if (state.ok_ns == 0) state.ok_ns = inherited_ok_ns_;
  const bool with_members = members_ && (fresh || !members_written_);
  // The list first: who sees the state believes what list there is.
  const bool written = guarded([&] {
    if (with_members) layout.members.publish(*members_);
    layout.discovery.publish(state);
  });
  if (!written) return segment_.reset();
  segment_ = segment;
  members_written_ = members_written_ || with_members;
  if (with_members) published_();
}

void Discoverer::tell_revisions() {
  if (no_revisions_ == no_revisions_told_ || held_since_ns_ != 0) return;
  if (no_revisions_.empty()) {
    log_info("the cores' revisions are known");
  } else {
    log_warning("the cores' revisions aren't known, so the newest pod's file counts: " + no_revisions_);
  }
  no_revisions_told_ = no_revisions_;
}

// One line for all that changes within a second.
void Discoverer::tell_change(int64_t now_ns) {
  constexpr int64_t kTogether = 1'000'000'000;
  if (!told_ || now_ns - told_ns_ < kTogether) return;
  const std::string change = describe_change(*told_, *members_);
  told_.reset();
  if (change.empty()) return;
  told_ns_ = now_ns;
  log_info("discovery: " + std::to_string(members_->cores) + " cores, " +
           std::to_string(members_->count - members_->cores) + " satellites: " + change);
}

void Discoverer::tell(const Discovery& state) {
  if (state.failing_since_ns == 0) {
    if (failing_since_ns_ != 0) {
      log_info("discovery works again, after " + show_span(boottime_ns() - failing_since_ns_));
    }
    failing_since_ns_ = 0;
    failures_before_ = state.failures;
    return;
  }
  if (failing_since_ns_ == 0) {
    failing_since_ns_ = state.failing_since_ns;
    failures_told_ = 0;
  }
  // The 1st, 2nd, 4th, 8th, ... in a row, of which several may have come since the last look; and another one, in time.
  constexpr int64_t kOtherAfter = 30'000'000'000;
  const uint64_t row = std::max<uint64_t>(1, state.failures - failures_before_);
  const bool other = text(state.error) != error_told_ && boottime_ns() - error_told_ns_ > kOtherAfter;
  if (failures_told_ != 0 && row < failures_told_ * 2 && !other) return;
  failures_told_ = std::max(row, failures_told_);
  error_told_ = text(state.error);
  error_told_ns_ = boottime_ns();
  log_warning("discovery: " + std::string(text(state.error)) + (members_ ? "; the last list stays" : ""));
}

}  // namespace pulse
