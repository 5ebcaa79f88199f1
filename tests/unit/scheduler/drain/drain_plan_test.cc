#include "scheduler/drain/drain_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shm/record/drains.h"
#include "shm/segment/names.h"
#include "src/config/drain_steps.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

DrainPolicy policy(milliseconds settle = seconds(5), milliseconds timeout = seconds(25)) {
  DrainPolicy policy;
  policy.settle = settle;
  policy.timeout = timeout;
  policy.steps = *parse_drain_steps({"2000:4000", "1000:3000", "500:4000", "200:6000", "50:3000", "0"});
  return policy;
}

DrainSight sight(milliseconds elapsed, milliseconds empty_for = milliseconds(0), int64_t threads = 2,
                 bool admin = true) {
  DrainSight sight;
  sight.elapsed = elapsed;
  sight.empty_for = empty_for;
  sight.mysql_threads = threads;
  sight.admin = admin;
  return sight;
}

TEST(DrainPlan, StepsAreRead) {
  const auto steps = parse_drain_steps({"2000:4000", "50:3000", "0"});
  ASSERT_TRUE(steps);
  ASSERT_EQ(3U, steps->size());
  EXPECT_EQ(milliseconds(2000), (*steps)[0].wait_timeout);
  EXPECT_EQ(milliseconds(4000), (*steps)[0].lasts);
  EXPECT_EQ(milliseconds(0), (*steps)[2].wait_timeout);
  for (const std::vector<std::string>& bad : {std::vector<std::string>{},
                                              {"2000", "0"},
                                              {"x:1", "0"},
                                              {"5:5", "6"},
                                              {"5:0", "0"},
                                              {"5:5"},
                                              {"-1"},
                                              {"0 "},
                                              {"5:5x", "0"},
                                              {"3600001"},
                                              {"5:5", "5"},
                                              {"5:3600001", "0"},
                                              {""}}) {
    EXPECT_FALSE(parse_drain_steps(bad)) << (bad.empty() ? "none" : bad.front());
  }
}

TEST(DrainPlan, StepsThatAreRefusedAreExplained) {
  EXPECT_THAT(parse_drain_steps({"50:1000", "50"}).error().text, HasSubstr("\"50\": each step's wait timeout must be"));
  EXPECT_THAT(parse_drain_steps({"50", "0"}).error().text, HasSubstr("\"50\": allowed are WAIT_TIMEOUT_MS:SPAN_MS"));
  EXPECT_EQ("a list without any step", parse_drain_steps({}).error().text);
  EXPECT_TRUE(parse_drain_steps({"3600000:3600000", "0"})) << "an hour";
}

TEST(DrainPlan, ThePolicyIsTheConfigurations) {
  Config config;
  config.role = Role::satellite;
  config.drain.settle = milliseconds(7);
  config.drain.timeout = milliseconds(8000);
  config.drain.steps = {"9:1000", "3"};
  const DrainPolicy satellite = drain_policy(config);
  EXPECT_EQ(milliseconds(7), satellite.settle);
  EXPECT_EQ(milliseconds(8000), satellite.timeout);
  EXPECT_TRUE(satellite.satellite);
  EXPECT_TRUE(satellite.stops);
  ASSERT_EQ(2U, satellite.steps.size());
  EXPECT_EQ(milliseconds(9), satellite.steps[0].wait_timeout);
  config.role = Role::standalone;
  EXPECT_TRUE(drain_policy(config).standalone);
  config.role = Role::core;
  EXPECT_FALSE(drain_policy(config).satellite) << "what it lowers may spread";
}

// They are values of /status and of metrics' labels.
TEST(DrainPlan, PhasesAndOutcomesHaveNames) {
  const std::pair<DrainPhase, const char*> phases[] = {
      {DrainPhase::none, "none"},     {DrainPhase::lock, "lock"},
      {DrainPhase::settle, "settle"}, {DrainPhase::close, "close"},
      {DrainPhase::pause, "pause"},   {DrainPhase::stop, "stop"},
      {DrainPhase::ended, "ended"},   {static_cast<DrainPhase>(250), "unknown"}};
  for (const auto& [phase, expected] : phases) EXPECT_STREQ(expected, name(phase));
  const std::pair<DrainOutcome, const char*> outcomes[] = {
      {DrainOutcome::none, "none"},       {DrainOutcome::stopped, "stopped"},
      {DrainOutcome::drained, "drained"}, {DrainOutcome::failed, "failed"},
      {DrainOutcome::undone, "undone"},   {static_cast<DrainOutcome>(250), "unknown"}};
  for (const auto& [outcome, expected] : outcomes) EXPECT_STREQ(expected, name(outcome));
}

TEST(DrainPlan, NobodyIsLeftOnceSettled) {
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(milliseconds(4999), seconds(4))));
  EXPECT_EQ(DrainAction::stop, next_drain_action(policy(), sight(seconds(5), seconds(1))));
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(seconds(5), milliseconds(999))));
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(seconds(5)))) << "a client is there";
  EXPECT_EQ(DrainAction::stop, next_drain_action(policy(seconds(0)), sight(seconds(1), seconds(1))));
}

TEST(DrainPlan, PauseComesInTimeAndOnlyForClientsThatAreStillThere) {
  EXPECT_EQ(milliseconds(1000), pause_span(1));
  EXPECT_EQ(milliseconds(2070), pause_span(2));
  const milliseconds at = *pause_at(policy(), 2);
  EXPECT_EQ(seconds(25) - kDrainStopReserve - pause_span(2), at);
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(at - milliseconds(1))));
  EXPECT_EQ(DrainAction::pause_and_stop, next_drain_action(policy(), sight(at)));
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(at, milliseconds(500)))) << "they have just left";
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(at, milliseconds(0), 2, false))) << "nobody to ask";
  const milliseconds last = seconds(25) - kDrainStopReserve;
  EXPECT_EQ(DrainAction::stop, next_drain_action(policy(), sight(last, milliseconds(0), 2, false)));
}

TEST(DrainPlan, PauseClosesThePortsOfOneProtocolAfterTheOthers) {
  EXPECT_EQ(pause_span(4), pause_span(2, 2));
  EXPECT_EQ(pause_span(8), pause_span(0, 8)) << "PostgreSQL alone";
  EXPECT_EQ(pause_at(policy(), 6), pause_at(policy(), 2, 4));
  EXPECT_EQ(pause_at(policy(), 1), pause_at(policy(), 0, 1)) << "no MySQL thread is added where there is none";
  DrainSight both = sight(*pause_at(policy(), 2, 4));
  both.pgsql_threads = 4;
  EXPECT_EQ(DrainAction::pause_and_stop, next_drain_action(policy(), both));
  both.elapsed -= milliseconds(1);
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), both));
}

TEST(DrainPlan, NoPauseWhereThereIsNoRoomForIt) {
  EXPECT_FALSE(pause_at(policy(), 32)) << "a minute of half-dead listeners";
  EXPECT_EQ(DrainAction::wait, next_drain_action(policy(), sight(seconds(23), milliseconds(0), 32)));
  EXPECT_EQ(DrainAction::stop, next_drain_action(policy(), sight(milliseconds(23'500), milliseconds(0), 32)));
  EXPECT_EQ(pause_at(policy(), 4), pause_at(policy(), 0)) << "not known: ProxySQL's default";
}

TEST(DrainPlan, TheWaitTimeoutFallsByTheClock) {
  const DrainPolicy roomy = policy(seconds(5), seconds(60));
  const std::pair<int, int> expected[] = {{0, 2000},     {3999, 2000}, {4000, 1000}, {7000, 500}, {10'999, 500},
                                          {11'000, 200}, {17'000, 50}, {20'000, 0},  {50'000, 0}};
  for (const auto& [elapsed, wait] : expected) {
    EXPECT_EQ(milliseconds(wait), wait_timeout_at(roomy, sight(milliseconds(elapsed)))) << elapsed;
  }
}

TEST(DrainPlan, TheStepsShrinkToTheTimeThereIs) {
  const DrainPolicy tight = policy(seconds(2), seconds(12));
  const milliseconds pause = *pause_at(tight, 2);
  EXPECT_EQ(milliseconds(2000), wait_timeout_at(tight, sight(milliseconds(0))));
  EXPECT_EQ(milliseconds(0), wait_timeout_at(tight, sight(pause - pause / 4)));
  EXPECT_NE(milliseconds(0), wait_timeout_at(tight, sight(pause - pause / 4 - milliseconds(100))));
  const DrainPolicy tightest = policy(seconds(0), milliseconds(6000));
  const milliseconds first = *pause_at(tightest, 2) - seconds(2);
  EXPECT_EQ(milliseconds(0), wait_timeout_at(tightest, sight(first))) << "two rounds of ProxySQL's own look";
  EXPECT_NE(milliseconds(0), wait_timeout_at(tightest, sight(first - milliseconds(100))));
}

TEST(DrainPlan, WhileClientsMayComeBackTheyAreNotHurried) {
  const DrainPolicy lagging = policy(seconds(30), seconds(60));
  EXPECT_EQ(kDrainLowestUnsettled, wait_timeout_at(lagging, sight(milliseconds(29'999))));
  EXPECT_EQ(milliseconds(0), wait_timeout_at(lagging, sight(seconds(30))));
}

TEST(DrainPlan, OutOfTheBalancerRestingClientsGoFirstThenAll) {
  const DrainPolicy usual = policy();
  DrainSight out = sight(seconds(5));
  EXPECT_EQ(milliseconds(1000), wait_timeout_at(usual, out)) << "by the clock";
  out.no_newcomer_for = kDrainNoNewcomer;
  EXPECT_EQ(kDrainLowestUnsettled, wait_timeout_at(usual, out));
  out.no_newcomer_for = kDrainNoNewcomer + kDrainRestingFirst - milliseconds(1);
  EXPECT_EQ(kDrainLowestUnsettled, wait_timeout_at(usual, out));
  out.no_newcomer_for = kDrainNoNewcomer + kDrainRestingFirst;
  EXPECT_EQ(milliseconds(0), wait_timeout_at(usual, out));
  out.no_newcomer_for = kDrainNoNewcomer - milliseconds(1);
  EXPECT_EQ(milliseconds(1000), wait_timeout_at(usual, out)) << "one has come: it may still be sent clients";
  out = sight(milliseconds(4999));
  out.no_newcomer_for = seconds(4);
  EXPECT_EQ(kDrainLowestUnsettled, wait_timeout_at(usual, out)) << "nobody knows before it is settled";
  DrainSight late = sight(seconds(22));
  late.no_newcomer_for = kDrainNoNewcomer;
  EXPECT_EQ(milliseconds(0), wait_timeout_at(usual, late)) << "by the clock it is time";
  DrainPolicy gentle = policy(seconds(2));
  gentle.steps = *parse_drain_steps({"2000:4000", "500"});
  out = sight(seconds(2));
  for (const seconds since : {seconds(2), seconds(5)}) {
    out.no_newcomer_for = since;
    EXPECT_EQ(milliseconds(500), wait_timeout_at(gentle, out)) << "never below what is configured";
  }
}

TEST(DrainPlan, TheGraceMustHoldTheDrain) {
  Config config;
  config.drain.timeout = milliseconds(25'000);
  EXPECT_EQ(seconds(27), least_grace(config));
  EXPECT_EQ("", grace_problem(config)) << "none is configured";
  config.drain.grace = milliseconds(27'000);
  EXPECT_EQ("", grace_problem(config));
  config.drain.grace = milliseconds(26'999);
  EXPECT_THAT(grace_problem(config), HasSubstr("terminationGracePeriodSeconds to 27"));
}

DrainRecord record(int64_t began_s, int64_t ended_s, DrainOutcome outcome, int64_t started_s = 100) {
  DrainRecord record{};
  record.number = 1;
  record.began_ns = began_s * 1'000'000'000;
  record.ended_ns = ended_s * 1'000'000'000;
  record.proxysql_started_ns = started_s * 1'000'000'000;
  record.outcome = static_cast<uint8_t>(outcome);
  return record;
}

TEST(DrainPlan, ADrainIsInEffectUntilAnotherProxysqlAnswers) {
  const auto s = [](int64_t span) { return span * 1'000'000'000; };
  EXPECT_FALSE(is_draining(0, record(200, 210, DrainOutcome::stopped), s(1)));
  EXPECT_TRUE(is_draining(s(200), record(150, 160, DrainOutcome::stopped), s(170))) << "announced anew";
  EXPECT_TRUE(is_draining(s(200), record(200, 0, DrainOutcome::none), s(1)));
  EXPECT_TRUE(is_draining(s(200), record(200, 210, DrainOutcome::stopped), 0)) << "nothing answers";
  EXPECT_TRUE(is_draining(s(200), record(200, 210, DrainOutcome::stopped), s(100))) << "not seen to end yet";
  EXPECT_TRUE(is_draining(s(200), record(200, 210, DrainOutcome::stopped), s(210))) << "the last look at the old one";
  EXPECT_FALSE(is_draining(s(200), record(150, 200, DrainOutcome::stopped), s(201)));
  EXPECT_FALSE(is_draining(s(200), record(200, 210, DrainOutcome::stopped), s(211)));
  EXPECT_TRUE(is_draining(s(200), record(200, 210, DrainOutcome::drained), s(211))) << "until undrain";
  EXPECT_TRUE(is_draining(s(200), record(200, 210, DrainOutcome::failed), s(211)));
}

TEST(DrainPlan, ABeatTellsWhatIsLeftOfADrain) {
  const auto s = [](int64_t span) { return span * 1'000'000'000; };
  EXPECT_EQ(DrainLeft::stays, judge_drain(record(200, 210, DrainOutcome::drained), s(200), s(101)));
  EXPECT_EQ(DrainLeft::died, judge_drain(record(200, 0, DrainOutcome::none), s(200), s(101)));
  EXPECT_EQ(DrainLeft::other_boot, judge_drain(record(200, 210, DrainOutcome::drained), s(200), s(205)));
  EXPECT_EQ(DrainLeft::other_boot, judge_drain(record(200, 0, DrainOutcome::none), s(200), s(205)));
  // Seen to end: whatever answers now is another one, also if its uptime can't tell.
  EXPECT_EQ(DrainLeft::other_boot, judge_drain(record(200, 210, DrainOutcome::stopped), s(200), s(101)));
  // Killed before it could write a record: the one that stands is of the drain before.
  EXPECT_EQ(DrainLeft::died, judge_drain(record(200, 210, DrainOutcome::drained), s(300), s(101)));
  EXPECT_EQ(DrainLeft::other_boot, judge_drain(record(200, 210, DrainOutcome::stopped), s(300), s(301)));
  // Of a ProxySQL that it never saw.
  EXPECT_EQ(DrainLeft::stays, judge_drain(record(200, 210, DrainOutcome::failed, 0), s(200), s(101)));
  EXPECT_EQ(DrainLeft::other_boot, judge_drain(record(200, 210, DrainOutcome::failed, 0), s(200), s(201)));
}

TEST(DrainPlan, OnlyTheBootThatWasDrainedHasSomethingLeft) {
  const auto s = [](int64_t span) { return span * 1'000'000'000; };
  EXPECT_TRUE(has_left_changes(record(200, 210, DrainOutcome::drained), s(101)));
  EXPECT_TRUE(has_left_changes(record(200, 0, DrainOutcome::none), s(101)));
  EXPECT_FALSE(has_left_changes(record(200, 210, DrainOutcome::undone), s(101)));
  EXPECT_FALSE(has_left_changes(record(200, 210, DrainOutcome::drained), s(205)));
  EXPECT_FALSE(has_left_changes(record(200, 210, DrainOutcome::drained, 0), s(1))) << "it never met ProxySQL";
}

TEST(DrainPlan, ADrainIsAtWorkUntilALittleAfterItsDeadline) {
  const auto s = [](int64_t span) { return span * 1'000'000'000; };
  const milliseconds timeout = seconds(25);
  DrainRecord running = record(200, 0, DrainOutcome::none);
  running.deadline_ns = s(260);  // by --timeout-ms
  EXPECT_TRUE(may_be_at_work(s(200), running, timeout, s(261)));
  EXPECT_FALSE(may_be_at_work(s(200), running, timeout, s(263)));
  EXPECT_FALSE(may_be_at_work(0, running, timeout, s(201))) << "undone";
  EXPECT_FALSE(may_be_at_work(s(200), record(200, 210, DrainOutcome::stopped), timeout, s(211)));
  // Announced anew, and no record yet.
  EXPECT_TRUE(may_be_at_work(s(300), record(200, 210, DrainOutcome::drained), timeout, s(326)));
  EXPECT_FALSE(may_be_at_work(s(300), record(200, 210, DrainOutcome::drained), timeout, s(328)));
}

}  // namespace
}  // namespace pulse
