#include "daemon/discovery/dns_source.h"

#include <algorithm>

#include "daemon/worker/stop_signal.h"

namespace pulse {

namespace {

constexpr std::chrono::seconds kNameAnswersWithin{5};

std::optional<std::chrono::seconds> shortest_ttl(const std::map<std::string, NameAnswer>& answers) {
  std::optional<std::chrono::seconds> shortest;
  for (const auto& [host, answer] : answers) {
    if (answer.ttl) shortest = shortest ? std::min(*shortest, *answer.ttl) : answer.ttl;
  }
  return shortest;
}

}  // namespace

bool take_in(KnownAddresses& known, const std::set<std::string>& seen, bool partial) {
  bool changed = false;
  for (auto at = known.begin(); at != known.end();) {
    if (seen.count(at->first) != 0) {
      at->second = 0;
    } else if (!partial) {
      ++at->second;
    }
    const bool gone = at->second >= kGoneLooks;
    changed = changed || gone;
    at = gone ? known.erase(at) : std::next(at);
  }
  for (const std::string& address : seen) changed = known.emplace(address, 0).second || changed;
  return changed;
}

Round take_in(KnownNames& known, const std::map<std::string, NameAnswer>& answers) {
  Round round;
  const bool any = std::any_of(answers.begin(), answers.end(),
                               [](const auto& answer) { return answer.second.kind == NameAnswer::Kind::addresses; });
  const auto is_known = [](const KnownName& name) { return name.answered || name.absent >= kGoneLooks; };
  const auto fail = [&round](const std::string& error) {
    if (round.error.empty()) round.error = error;
  };
  round.complete = true;
  for (const auto& [host, answer] : answers) {
    KnownName& name = known[host];
    const bool was_known = is_known(name);
    switch (answer.kind) {
      case NameAnswer::Kind::addresses:
        name.answered = true;
        name.absent = 0;
        round.changed = take_in(name.addresses, answer.addresses, answer.partial) || round.changed;
        break;
      case NameAnswer::Kind::no_such_name:
        if (!any) {
          fail(answer.error);
          break;
        }
        name.absent = std::min(name.absent + 1, kGoneLooks);
        round.changed = take_in(name.addresses, {}) || round.changed;
        if (!is_known(name)) fail(answer.error);
        break;
      case NameAnswer::Kind::failed:
        name.absent = 0;
        fail(answer.error);
        break;
    }
    round.changed = round.changed || is_known(name) != was_known;
    round.complete = round.complete && is_known(name);
  }
  return round;
}

milliseconds next_round(milliseconds interval, milliseconds max_age, std::optional<std::chrono::seconds> ttl) {
  const milliseconds until = ttl ? milliseconds(*ttl) : milliseconds(0);
  return std::max(interval, std::min(until, max_age / 4));
}

void follow_names(const Config& config, const SourceLink& link, const Resolve& resolve) {
  KnownNames names;
  milliseconds pause = config.discovery.interval;
  do {
    std::map<std::string, NameAnswer> answers;
    for (const std::string& host : config.discovery.names) {
      const StopSignal stop(*link.calls);
      answers[host] = resolve(host, Deadline::after(kNameAnswersWithin), stop.fd());
      if (link.calls->stopping()) return;
    }
    const Round round = take_in(names, answers);
    if (round.changed && round.complete) {
      std::vector<Found> found;
      for (const auto& [host, name] : names) {
        for (const auto& [address, missing] : name.addresses) {
          Found member;
          member.name = host;
          member.address = address;
          member.port = static_cast<uint16_t>(config.discovery.port);
          member.is_core = member.ready = true;
          found.push_back(std::move(member));
        }
      }
      link.status->found(std::move(found), round.error.empty());
    }
    if (round.error.empty()) {
      link.status->good();
    } else {
      link.status->failed(round.error);
    }
    pause = next_round(config.discovery.interval, config.discovery.max_age,
                       round.error.empty() ? shortest_ttl(answers) : std::nullopt);
  } while (link.calls->pause(pause));
}

}  // namespace pulse
