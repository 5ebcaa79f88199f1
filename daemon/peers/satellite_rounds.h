// Which satellites are asked next, and what all of them have said. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/peers/satellite_report.h"
#include "shm/segment/layout_members.h"
#include "src/base/clock.h"
#include "src/base/http_round.h"
#include "src/base/result.h"

namespace pulse {

// Each is asked every 30 s, evenly: a thirtieth of them with each turn, at least one. One that has something to say is
// asked every 5 s. Never more than kAtOnce with one turn: with a list of a thousand that are all late, a turn takes the
// second that an answer may take.
class SatelliteRounds {
 public:
  static constexpr nanoseconds kTurn = std::chrono::seconds(1);
  static constexpr nanoseconds kEvery = std::chrono::seconds(30);
  static constexpr nanoseconds kEveryWhileStuck = std::chrono::seconds(5);
  // What hasn't been said again for so long is forgotten.
  static constexpr nanoseconds kForgottenAfter = std::chrono::minutes(10);
  static constexpr size_t kAtOnce = 32;

  // Those to ask now, of the list's; without a port. take() must be called with as many answers, in this order.
  std::vector<PeerAddress> due(const Members& members, int64_t now_ns);
  void take(const std::vector<Result<std::optional<SatelliteReport>>>& answers, int64_t now_ns);

  // Enters what is known; with no satellites, that nobody is asked.
  void tell(SatelliteReports& reports, int64_t now_ns) const;

 private:
  enum class Said { nothing, report, older };
  struct Satellite {
    std::string name;
    std::string address;
    uint32_t port = 0;
    int64_t asked_ns = 0;  // 0: never
    Said said = Said::nothing;
    std::string error;
    std::vector<StuckModule> stuck;
  };

  std::map<std::string, Satellite> satellites_;  // by address and port
  std::vector<std::string> asked_;               // keys, of the last due()
};

}  // namespace pulse
