#include "daemon/discovery/dns_source.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

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

Result<std::set<std::string>> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    return Error{"look up " + host + ": " + (error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error)),
                 error == EAI_SYSTEM ? errno : 0};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  std::set<std::string> addresses;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    char shown[INET6_ADDRSTRLEN] = {};
    if (at->ai_family == AF_INET) {
      ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ai_addr)->sin_addr, shown, sizeof shown);
    } else if (at->ai_family == AF_INET6) {
      ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(at->ai_addr)->sin6_addr, shown, sizeof shown);
    }
    if (shown[0] != '\0') addresses.insert(shown);
  }
  if (addresses.empty()) return Error{"look up " + host + ": it has no address"};
  return addresses;
}

void follow_names(const Config& config, const SourceLink& link) {
  std::map<std::string, KnownAddresses> names;
  do {
    bool changed = false;
    std::string error;
    for (const std::string& host : config.discovery.names) {
      link.calls->expect("look up " + host + ": no answer within " + std::to_string(kAnswerWithin.count()) + " s",
                         kAnswerWithin);
      const auto seen = look_up(host);
      link.calls->nothing_due();
      if (link.calls->stopping()) return;
      if (seen) {
        changed = take_in(names[host], *seen) || changed;
      } else if (error.empty()) {
        error = seen.error().text;
      }
    }
    // Complete is what all names have been found for once; until then a member may be missing.
    if (changed && names.size() == config.discovery.names.size()) {
      std::vector<Found> found;
      for (const auto& [host, known] : names) {
        for (const auto& [address, missing] : known) {
          Found member;
          member.name = host;
          member.address = address;
          member.port = static_cast<uint16_t>(config.discovery.port);
          member.is_core = member.ready = true;
          found.push_back(std::move(member));
        }
      }
      link.status->found(std::move(found), error.empty());
    }
    if (error.empty()) {
      link.status->good();
    } else {
      link.status->failed(error);
    }
  } while (link.calls->pause(config.discovery.interval));
}

}  // namespace pulse
