#include "daemon/discovery/dns_source.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pulse {

namespace {

constexpr std::chrono::seconds kAnswerWithin{5};

}  // namespace

bool take_in(KnownAddresses& known, const std::set<std::string>& seen) {
  bool changed = false;
  for (auto at = known.begin(); at != known.end();) {
    at->second = seen.count(at->first) != 0 ? 0 : at->second + 1;
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
        round.changed = take_in(name.addresses, answer.addresses) || round.changed;
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

NameAnswer look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  NameAnswer answer;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    // EAI_AGAIN is what a resolver that doesn't answer, or answers SERVFAIL, comes to.
    const bool certain = error == EAI_NONAME || error == EAI_NODATA;
    answer.kind = certain ? NameAnswer::Kind::no_such_name : NameAnswer::Kind::failed;
    answer.error = "look up " + host + ": " + (error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error));
    return answer;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    char shown[INET6_ADDRSTRLEN] = {};
    if (at->ai_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ai_addr)->sin_addr, shown, sizeof shown);
    } else if (at->ai_family == AF_INET6) {
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr, shown, sizeof shown);
    }
    if (shown[0] != '\0') answer.addresses.insert(shown);
  }
  if (answer.addresses.empty()) {
    answer.error = "look up " + host + ": it has no address";
  } else {
    answer.kind = NameAnswer::Kind::addresses;
  }
  return answer;
}

void follow_names(const Config& config, const SourceLink& link,
                  const std::function<NameAnswer(const std::string&)>& resolve) {
  KnownNames names;
  do {
    std::map<std::string, NameAnswer> answers;
    for (const std::string& host : config.discovery.names) {
      link.calls->expect("look up " + host + ": no answer within " + std::to_string(kAnswerWithin.count()) + " s",
                         kAnswerWithin);
      answers[host] = resolve(host);
      link.calls->nothing_due();
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
  } while (link.calls->pause(config.discovery.interval));
}

}  // namespace pulse
