#include "daemon/peers/satellite_rounds.h"

#include <algorithm>
#include <set>
#include <utility>

#include "shm/segment/text.h"
#include "src/base/host_port.h"

namespace pulse {

std::vector<PeerAddress> SatelliteRounds::due(const Members& members, int64_t now_ns) {
  std::set<std::string> listed;
  for (size_t i = 0; i < std::min<size_t>(members.count, kMembers); ++i) {
    const Member& member = members.members[i];
    if (member.is_core != 0 || member.is_self != 0) continue;
    const std::string address(text(member.address));
    const std::string key = host_port_text(address, member.port);
    listed.insert(key);
    Satellite& satellite = satellites_[key];
    satellite.name = text(member.name);
    satellite.address = address;
    satellite.port = member.port;
  }
  std::erase_if(satellites_, [&](const auto& each) { return listed.count(each.first) == 0; });

  using Waiting = std::pair<int64_t, std::string>;  // since it was asked last
  std::vector<Waiting> regular, stuck;
  for (const auto& [key, satellite] : satellites_) {
    const int64_t age_ns = satellite.asked_ns == 0 ? INT64_MAX : now_ns - satellite.asked_ns;
    if (age_ns >= kEvery.count()) {
      regular.emplace_back(satellite.asked_ns, key);
    } else if (!satellite.stuck.empty() && age_ns >= kEveryWhileStuck.count()) {
      stuck.emplace_back(satellite.asked_ns, key);
    }
  }
  std::sort(regular.begin(), regular.end());
  std::sort(stuck.begin(), stuck.end());
  const auto turns = static_cast<size_t>(kEvery / kTurn);
  regular.resize(std::min({regular.size(), (satellites_.size() + turns - 1) / turns, kAtOnce}));
  stuck.resize(std::min(stuck.size(), kAtOnce - regular.size()));
  regular.insert(regular.end(), stuck.begin(), stuck.end());

  asked_.clear();
  std::vector<PeerAddress> peers;
  for (const auto& [unused, key] : regular) {
    Satellite& satellite = satellites_[key];
    satellite.asked_ns = now_ns;
    asked_.push_back(key);
    peers.push_back({satellite.address, 0});
  }
  return peers;
}

void SatelliteRounds::take(const std::vector<Result<std::optional<SatelliteReport>>>& answers, int64_t now_ns) {
  for (size_t i = 0; i < std::min(answers.size(), asked_.size()); ++i) {
    Satellite& satellite = satellites_[asked_[i]];
    satellite.error.clear();
    if (!answers[i]) {
      satellite.said = Said::nothing;
      satellite.error = answers[i].error().text;
    } else if (!*answers[i]) {
      satellite.said = Said::older;
      satellite.stuck.clear();
    } else {
      satellite.said = Said::report;
      satellite.stuck = (**answers[i]).stuck;
      for (StuckModule& stuck : satellite.stuck) {
        set_text(stuck.name, satellite.name);
        set_text(stuck.address, satellite.address);
        stuck.port = satellite.port;
      }
    }
  }
  asked_.clear();
  for (auto& [unused, satellite] : satellites_) {
    std::erase_if(satellite.stuck,
                  [&](const StuckModule& stuck) { return now_ns - stuck.seen_ns > kForgottenAfter.count(); });
  }
}

void SatelliteRounds::tell(SatelliteReports& reports, int64_t now_ns) const {
  reports.leads_ns = satellites_.empty() ? 0 : now_ns;
  reports.asked_ns = 0;
  reports.satellites = static_cast<uint32_t>(satellites_.size());
  reports.answered = reports.older = reports.left_out = reports.count = 0;
  reports.error.fill('\0');
  for (const auto& [unused, satellite] : satellites_) {
    reports.asked_ns = std::max(reports.asked_ns, satellite.asked_ns);
    if (satellite.said == Said::report) ++reports.answered;
    if (satellite.said == Said::older) ++reports.older;
    if (!satellite.error.empty()) set_text(reports.error, satellite.error);
    for (const StuckModule& stuck : satellite.stuck) {
      if (reports.count == kStuckModules) {
        ++reports.left_out;
      } else {
        reports.modules[reports.count++] = stuck;
      }
    }
  }
}

}  // namespace pulse
