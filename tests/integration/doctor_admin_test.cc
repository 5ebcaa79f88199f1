// What `doctor` says of an admin interface that can't be asked, or answers otherwise than it should: each comes, and
// goes.
#include <gtest/gtest.h>
#include <signal.h>

#include "src/base/exit_code.h"
#include "tests/integration/doctor.h"

namespace pulse::test {
namespace {

// A node without beats, so that nothing is known of its admin interface from them.
Server::Options without_beats() {
  Server::Options options = healthy_node();
  options.beat_interval_ms = 0;
  return options;
}

// For a server that doesn't answer: half of it is spent on the admin interface.
Look look_for(const Server& server, milliseconds timeout = seconds(5)) {
  return [&server, timeout] {
    return diagnose(server, {"PULSE_DAEMON_PORT=0"}, {"--timeout-ms=" + std::to_string(timeout.count())});
  };
}

TEST(DoctorOfTheAdminInterface, WhereNobodyListens) {
  Server server(healthy_node());
  wait_for_beats(server);
  const Look look = look_for(server);
  const Ill port{"critical", "mysql port", {"doesn't answer: nothing listens there"}};
  const Ill silent{"critical", "beats", {"scheduler_silent: no beat for"}};
  comes_and_goes(
      {"critical",
       "admin interface",
       {"it isn't running, or it runs on the mysql_ifaces of its proxysql.db", "nothing is healed"}},
      look, [&] { server.kill(); },
      [&] {
        wait_for(port, look);
        wait_for(silent, look);
        server.start();
      });
  wait_for_end_of(port, look);
  wait_for_end_of(silent, look);
}

TEST(DoctorOfTheAdminInterface, ThatAcceptsAndDoesNotGreet) {
  Server server(without_beats());
  comes_and_goes(
      {"critical", "admin interface", {"accepts connections and doesn't greet", "none of them busy"}},
      look_for(server, seconds(2)), [&] { server.process().signal(SIGSTOP); },
      [&] { server.process().signal(SIGCONT); });
}

TEST(DoctorOfTheAdminInterface, ThatHangsAndNobodyKnowsOfIt) {
  Server server(without_beats());
  comes_and_goes(
      {"critical", "admin interface", {"the login works, and a statement got no answer in time"}},
      look_for(server, seconds(2)), [&] { server.wedge(seconds(8)); }, [&] { server.unwedge(); });
}

TEST(DoctorOfTheAdminInterface, ThatHangsByWhatBeatsHaveFound) {
  Server::Options options = healthy_node();
  options.pulse = "backoff_max_ms=1000, ";
  Server server(options);
  wait_for_beats(server);
  comes_and_goes(
      {"critical",
       "admin interface",
       {"the admin interface hasn't answered for", "the last beat got as far as the phase",
        "Not asked again: each question leaves a blocked thread"}},
      look_for(server), [&] { server.wedge(seconds(8)); }, [&] { server.unwedge(); });
}

TEST(DoctorOfTheAdminInterface, ThatABeatWaitsFor) {
  Server server(without_beats());
  const Look look = look_for(server);
  const Ill starting{"notice", "beats", {"starting: no beat has succeeded yet"}};
  std::optional<Process> beat;
  comes_and_goes(
      {"critical", "admin interface", {"a beat has waited for an answer for"}}, look,
      [&] {
        server.wedge(seconds(8));
        beat.emplace(server.pulse({"beat", "--timeout-ms=20000"}), server.dir(), Process::Options{});
      },
      [&] {
        wait_for(starting, look);
        server.unwedge();
        EXPECT_EQ(kExitOk, beat->wait()) << beat->output();
      });
  wait_for_end_of(starting, look);
}

TEST(DoctorOfTheAdminInterface, ThatAnswersWithAnError) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server server(without_beats());
  comes_and_goes(
      {"critical", "admin interface", {"injected fault"}}, look_for(server),
      [&] { server.control("fault query error"); }, [&] { server.control("clear"); });
}

TEST(DoctorOfTheAdminInterface, ThatAnswersAtFirstAndThenNot) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server server(without_beats());
  comes_and_goes(
      {"warning", "admin interface", {"answered at first, and then not", "give doctor more time with --timeout-ms"}},
      look_for(server, seconds(2)), [&] { server.control("hold match=disk.mysql_query_rules ms=4000"); },
      [&] { server.control("clear"); });
}

}  // namespace
}  // namespace pulse::test
