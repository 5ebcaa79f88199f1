// What `doctor` says of a node that runs, and that each thing it says comes with its cause and goes with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/support.h"

namespace pulse::test {

struct Diagnosis {
  Ran ran;
  nlohmann::json json;

  // "SEVERITY SUBJECT: WHAT | MEANS | ACTION" of what isn't well, a line each.
  std::string ills() const;
};

// One finding, by what its line of ills() contains.
struct Ill {
  std::string severity;
  std::string subject;
  std::vector<std::string> words;

  bool is_in(const Diagnosis& diagnosis) const;
};

// Runs `doctor --json`. Fails the test if the exit code isn't that of the worst that it says. No daemon is asked unless
// the environment says where one listens.
Diagnosis diagnose(const Server& server, const std::vector<std::string>& environment = {"PULSE_DAEMON_PORT=0"},
                   const std::vector<std::string>& arguments = {});

using Look = std::function<Diagnosis()>;

// Waits until the finding is there, or isn't any more; fails the test if that doesn't come.
void wait_for(const Ill& ill, const Look& look);
void wait_for_end_of(const Ill& ill, const Look& look);

// Looks: the finding isn't there. Makes its cause, waits for it; takes the cause away, waits until it is gone.
void comes_and_goes(const Ill& ill, const Look& look, const std::function<void()>& make,
                    const std::function<void()>& mend);

// A node alone, of which nothing bad can be said: its beats come from its scheduler. The second backend is there to be
// taken away.
Server::Options healthy_node();

// Waits for beats that have gone through.
void wait_for_beats(const Server& server);

}  // namespace pulse::test
