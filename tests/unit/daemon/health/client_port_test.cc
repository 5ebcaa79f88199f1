#include "daemon/health/client_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/daemon/health/fake_server.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int64_t kStart = 1'000'000 * kMs;

using Passive = PortSample::Passive;

PortSample at(int64_t ms, Passive passive, uint32_t queue = 0) { return {passive, queue, kStart + ms * kMs}; }

// A run of samples, each with what must be known after it.
struct Row {
  int64_t ms;
  Passive passive;
  uint32_t queue;
  bool answers;
  bool want_active;
};

LookState run(LookState state, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const LookStep step = next_look(state, at(row.ms, row.passive, row.queue));
    EXPECT_EQ(step.want_active, row.want_active) << "at " << row.ms << " ms";
    EXPECT_EQ(step.state.verdict.answers, row.answers) << "at " << row.ms << " ms";
    if (!row.want_active) {
      EXPECT_EQ(step.state.verdict.looked_at_ns, kStart + row.ms * kMs);
    }
    state = step.state;
  }
  return state;
}

const ActiveResult kGreeted{true, "", milliseconds(3)};
const ActiveResult kSilent{false, "no greeting in time", seconds(1)};

TEST(NextLook, NothingIsKnownBeforeTheFirstLook) {
  const PortVerdict verdict = LookState().verdict;
  EXPECT_FALSE(verdict.answers);
  EXPECT_FALSE(verdict.ever_answered);
  EXPECT_EQ(verdict.looked_at_ns, 0);
}

TEST(NextLook, AListeningPortWithAnEmptyQueueAnswers) {
  const LookState state = run({}, {{0, Passive::listening, 0, true, false}, {500, Passive::listening, 0, true, false}});
  EXPECT_TRUE(state.verdict.ever_answered);
  EXPECT_EQ(state.verdict.since_ns, kStart);
  EXPECT_EQ(state.verdict.how, "socket table");
}

TEST(NextLook, NotListeningIsNotAnsweringAtOnce) {
  const LookState state = run({}, {{0, Passive::listening, 0, true, false},
                                   {500, Passive::not_listening, 0, false, false},
                                   {1000, Passive::not_listening, 0, false, false}});
  EXPECT_TRUE(state.verdict.ever_answered);
  EXPECT_EQ(state.verdict.since_ns, kStart + 500 * kMs);
  EXPECT_EQ(state.verdict.reason, "nothing listens on the port");
  run(state, {{1500, Passive::listening, 0, true, false}});
}

TEST(NextLook, AQueueThatGoesDownAnswersHoweverLongItStands) {
  std::vector<Row> rows{{0, Passive::listening, 0, true, false}};
  for (int64_t ms = 500; ms < 20'000; ms += 500) {
    const uint32_t queue = ms / 500 % 3 == 0 ? 40u : 50u;  // up to 1 s between two steps down
    rows.push_back({ms, Passive::listening, queue, true, false});
  }
  run({}, rows);
}

TEST(NextLook, AQueueThatNeverGoesDownIsASuspicionAfterTwoSeconds) {
  run({}, {{0, Passive::listening, 0, true, false},
           {500, Passive::listening, 1, true, false},
           {1000, Passive::listening, 1, true, false},
           {1500, Passive::listening, 2, true, false},
           {2499, Passive::listening, 2, true, false},
           {2500, Passive::listening, 2, true, true}});
}

TEST(NextLook, ASuspicionRefutedByAGreetingIsRaisedAgainTwoSecondsLater) {
  LookState state = run({}, {{0, Passive::listening, 0, true, false},
                             {500, Passive::listening, 9, true, false},
                             {2500, Passive::listening, 9, true, true}});
  state = after_active_look(state, kGreeted, kStart + 2510 * kMs);
  EXPECT_TRUE(state.verdict.answers);
  EXPECT_EQ(state.verdict.since_ns, kStart);
  EXPECT_EQ(state.verdict.how, "connection");
  run(state, {{3000, Passive::listening, 9, true, false},
              {4500, Passive::listening, 9, true, false},
              {4510, Passive::listening, 9, true, true}});
}

TEST(NextLook, AConfirmedSuspicionHoldsUntilTheQueueGoesDown) {
  LookState state = run({}, {{0, Passive::listening, 0, true, false},
                             {500, Passive::listening, 9, true, false},
                             {2500, Passive::listening, 9, true, true}});
  state = after_active_look(state, kSilent, kStart + 3500 * kMs);
  EXPECT_FALSE(state.verdict.answers);
  EXPECT_TRUE(state.verdict.ever_answered);
  EXPECT_EQ(state.verdict.since_ns, kStart + 3500 * kMs);
  EXPECT_THAT(state.verdict.reason, HasSubstr("no greeting in time"));
  // Each connection would be one more in that queue, so the next one waits.
  state = run(state, {{4000, Passive::listening, 10, false, false},
                      {6000, Passive::listening, 10, false, false},
                      {13'499, Passive::listening, 10, false, false},
                      {13'500, Passive::listening, 10, false, true}});
  EXPECT_THAT(state.verdict.reason, HasSubstr("no greeting in time"));
  const LookState hung = after_active_look(state, kSilent, kStart + 14'500 * kMs);
  EXPECT_EQ(hung.verdict.since_ns, kStart + 3500 * kMs);
  run(hung, {{15'000, Passive::listening, 11, false, false}, {15'500, Passive::listening, 10, true, false}});
  run(hung, {{15'000, Passive::listening, 0, true, false}});
  run(hung, {{15'000, Passive::not_listening, 0, false, false}, {15'500, Passive::listening, 3, false, true}});
}

// A daemon that starts beside a busy ProxySQL may meet clients in the queue, and probes don't wait for its next look.
TEST(NextLook, AQueueWantsAConnectionAtOnceWhileNobodyKnows) {
  const LookState first = run({}, {{0, Passive::listening, 5, false, true}});
  run(after_active_look(first, kGreeted, kStart + 1 * kMs), {{500, Passive::listening, 5, true, false}});
  const LookState silent = after_active_look(first, kSilent, kStart + 1000 * kMs);
  // Once is enough: each connection would be one more in that queue.
  run(silent, {{1500, Passive::listening, 6, false, false}, {10'999, Passive::listening, 6, false, false}});
  run(silent, {{1500, Passive::listening, 4, true, false}});
}

TEST(NextLook, AQueueWantsAConnectionAtOnceWhereNothingListenedBefore) {
  run({}, {{0, Passive::not_listening, 0, false, false}, {500, Passive::listening, 3, false, true}});
}

TEST(NextLook, WithoutASocketTableEachSampleWantsAConnection) {
  LookState state;
  for (int64_t ms = 0; ms < 5000; ms += 500) {
    LookStep step = next_look(state, at(ms, Passive::unavailable));
    ASSERT_TRUE(step.want_active);
    state = after_active_look(step.state, ms < 2000 ? kGreeted : kSilent, kStart + ms * kMs);
    EXPECT_EQ(state.verdict.answers, ms < 2000);
    EXPECT_EQ(state.verdict.looked_at_ns, kStart + ms * kMs);
  }
  EXPECT_EQ(state.verdict.since_ns, kStart + 2000 * kMs);
  EXPECT_TRUE(state.verdict.ever_answered);
}

TEST(NextLook, AnErrPacketIsAnAnswer) {
  const LookState state = after_active_look({}, {true, "Too many connections (1040)", milliseconds(1)}, kStart);
  EXPECT_TRUE(state.verdict.answers);
  EXPECT_THAT(state.verdict.reason, HasSubstr("Too many connections (1040)"));
}

TEST(ClientPortTest, APassiveLookConnectsToNobody) {
  const FakeServer peer(sends(kGreeting));
  ClientPort look({"127.0.0.1", peer.port()}, ClientPort::Mode::passive);
  EXPECT_EQ(look.current().looked_at_ns, 0);
  for (int i = 0; i < 5; ++i) look.tick();
  const PortVerdict verdict = look.current();
  EXPECT_TRUE(verdict.answers) << verdict.reason;
  EXPECT_EQ(verdict.how, "socket table");
  EXPECT_GT(verdict.looked_at_ns, verdict.since_ns);
  EXPECT_EQ(peer.served(), 0);
}

TEST(ClientPortTest, AnActiveLookConnectsOnEachTick) {
  const FakeServer peer(sends(kGreeting));
  ClientPort look({"127.0.0.1", peer.port()}, ClientPort::Mode::active);
  for (int i = 0; i < 3; ++i) look.tick();
  EXPECT_TRUE(look.current().answers) << look.current().reason;
  EXPECT_EQ(look.current().how, "connection");
  EXPECT_GE(peer.served(), 2);
}

TEST(ClientPortTest, SeesAPortGoAway) {
  auto peer = std::make_unique<FakeServer>(sends(kGreeting));
  ClientPort look({"127.0.0.1", peer->port()}, ClientPort::Mode::passive);
  look.tick();
  EXPECT_TRUE(look.current().answers);
  peer.reset();
  look.tick();
  EXPECT_FALSE(look.current().answers);
  EXPECT_TRUE(look.current().ever_answered);
}

TEST(ClientPortTest, FindsAServerThatAcceptsNobodyAndSeesItRecover) {
  FakeServer peer(sends(kGreeting));
  ClientPort look({"127.0.0.1", peer.port()}, ClientPort::Mode::passive);
  look.tick();
  peer.hold(true);
  // One connection is still taken by the accept(2) that waits.
  for (int i = 0; i < 3; ++i) {
    std::thread([&] { greet_mysql({"127.0.0.1", peer.port()}, Deadline::after(milliseconds(100))); }).join();
  }
  const int64_t before = monotonic_ns();
  while (look.current().answers && monotonic_ns() - before < 10'000 * kMs) {
    look.tick();
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_FALSE(look.current().answers);
  EXPECT_EQ(look.current().how, "connection");
  EXPECT_GE(monotonic_ns() - before, 2'900 * kMs) << "2 s of suspicion and 1 s for the greeting";
  peer.hold(false);
  while (!look.current().answers && monotonic_ns() - before < 20'000 * kMs) {
    look.tick();
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(look.current().answers) << look.current().reason;
}

}  // namespace
}  // namespace pulse
