#include "daemon/health/mysql_port.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "src/base/unique_fd.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int64_t kMs = 1'000'000;
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
  std::vector<Row> rows{{0, Passive::listening, 50, false, false}};
  for (int64_t ms = 500; ms < 20'000; ms += 500) {
    const uint32_t queue = ms / 500 % 3 == 0 ? 40u : 50u;  // up to 1 s between two steps down
    rows.push_back({ms, Passive::listening, queue, ms >= 1500, false});
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
  run(hung, {{15'000, Passive::not_listening, 0, false, false}, {15'500, Passive::listening, 3, false, false}});
}

TEST(NextLook, AFirstSampleWithAQueueWaitsForMore) {
  run({}, {{0, Passive::listening, 5, false, false}, {500, Passive::listening, 4, true, false}});
  LookState state = run({}, {{0, Passive::listening, 5, false, false}, {2000, Passive::listening, 5, false, true}});
  EXPECT_TRUE(after_active_look(state, kGreeted, kStart + 2001 * kMs).verdict.answers);
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

std::string packet(const std::string& payload, char sequence = 0) {
  const size_t size = payload.size();
  return std::string{static_cast<char>(size & 0xff), static_cast<char>(size >> 8 & 0xff),
                     static_cast<char>(size >> 16 & 0xff), sequence} +
         payload;
}

const std::string kGreeting = packet(std::string("\x0a", 1) + "8.0.30" + std::string(60, '\0'));

// Does the same to each client, one after the other.
class Peer {
 public:
  using Behaviour = std::function<void(int client, const std::atomic<bool>& stopping)>;

  explicit Peer(Behaviour behaviour, int family = AF_INET)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), behaviour_(std::move(behaviour)) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    address.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
    } else {
      reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0) << std::strerror(errno);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                     : reinterpret_cast<sockaddr_in&>(address).sin_port);
    if (!behaviour_) return;  // bound, but refusing
    EXPECT_EQ(::listen(fd_.get(), 16), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Peer() {
    stopping_ = true;
    if (behaviour_) ::shutdown(fd_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  uint16_t port() const { return port_; }
  int served() const { return served_; }
  void hold(bool on) { held_ = on; }

 private:
  void serve() {
    while (!stopping_) {
      if (held_) {
        std::this_thread::sleep_for(milliseconds(1));
        continue;
      }
      const UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      behaviour_(client.get(), stopping_);
      ++served_;
    }
  }

  UniqueFd fd_;
  uint16_t port_ = 0;
  Behaviour behaviour_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> held_{false};
  std::atomic<int> served_{0};
  std::thread thread_;
};

Peer::Behaviour sends(const std::string& bytes) {
  return [bytes](int client, const std::atomic<bool>&) { ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL); };
}

Deadline soon() { return Deadline::after(seconds(10)); }

TEST(Greet, AHandshakeIsAGreeting) {
  for (const int family : {AF_INET, AF_INET6}) {
    const Peer peer(sends(kGreeting), family);
    const ActiveResult result = greet(family == AF_INET ? "127.0.0.1" : "::1", peer.port(), soon());
    EXPECT_TRUE(result.greeted) << result.error;
    EXPECT_EQ(result.error, "");
    EXPECT_GT(result.took.count(), 0);
  }
}

TEST(Greet, AnErrPacketIsAGreetingWithItsText) {
  const std::string code = "\x10\x04";
  for (const std::string& state : {std::string("#08004"), std::string()}) {
    const Peer peer(sends(packet("\xff" + code + state + "Too many\nconnections", 2)));
    const ActiveResult result = greet("127.0.0.1", peer.port(), soon());
    EXPECT_TRUE(result.greeted);
    EXPECT_EQ(result.error, "Too many?connections (1040)");
  }
}

TEST(Greet, AHandshakeMayComeInPieces) {
  const Peer peer([](int client, const std::atomic<bool>&) {
    for (const char byte : kGreeting) {
      ::send(client, &byte, 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  EXPECT_TRUE(greet("127.0.0.1", peer.port(), soon()).greeted);
}

TEST(Greet, ASilentPeerIsHeldToTheDeadline) {
  const Peer peer([](int, const std::atomic<bool>& stopping) {
    while (!stopping) std::this_thread::sleep_for(milliseconds(1));
  });
  const ActiveResult result = greet("127.0.0.1", peer.port(), Deadline::after(milliseconds(200)));
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("in time"));
  EXPECT_GE(result.took, milliseconds(200));
  EXPECT_LT(result.took, seconds(1));
}

TEST(Greet, AByteNowAndThenDoesntExtendTheDeadline) {
  const std::string greeting = packet(std::string(4000, '\x0a'));
  for (const int gap_ms : {20, 1}) {
    const Peer peer([&](int client, const std::atomic<bool>& stopping) {
      for (const char byte : greeting) {
        if (stopping || ::send(client, &byte, 1, MSG_NOSIGNAL) != 1) return;
        std::this_thread::sleep_for(milliseconds(gap_ms));
      }
    });
    const ActiveResult result = greet("127.0.0.1", peer.port(), Deadline::after(milliseconds(200)));
    EXPECT_FALSE(result.greeted);
    EXPECT_THAT(result.error, HasSubstr("in time"));
    EXPECT_LT(result.took, seconds(1));
  }
}

TEST(Greet, APortNobodyListensOnRefuses) {
  const Peer peer(nullptr);
  const ActiveResult result = greet("127.0.0.1", peer.port(), soon());
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("127.0.0.1:" + std::to_string(peer.port()) + ": Connection refused"));
}

TEST(Greet, AResetIsNoGreeting) {
  const Peer peer([](int client, const std::atomic<bool>&) {
    const linger at_once{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  });
  const ActiveResult result = greet("127.0.0.1", peer.port(), soon());
  EXPECT_FALSE(result.greeted);
  EXPECT_THAT(result.error, HasSubstr("reset"));
}

TEST(Greet, AClosedOrCutGreetingIsNone) {
  for (const size_t size : {size_t{0}, size_t{2}, size_t{4}, kGreeting.size() - 1}) {
    const Peer peer(sends(kGreeting.substr(0, size)));
    const ActiveResult result = greet("127.0.0.1", peer.port(), soon());
    EXPECT_FALSE(result.greeted) << size;
    EXPECT_THAT(result.error, HasSubstr("closed the connection"));
  }
}

TEST(Greet, GarbageIsNoGreeting) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("SSH-2.0-OpenSSH_9.2\r\n"),
        packet(std::string("\x09", 1) + "8.0" + std::string(60, '\0')), packet("\x0a no end of the version"),
        packet(kGreeting.substr(4), 1), packet("\xff"), packet(""), packet(std::string(5000, '\x0a'))}) {
    const Peer peer(sends(bytes));
    const ActiveResult result = greet("127.0.0.1", peer.port(), soon());
    EXPECT_FALSE(result.greeted) << bytes;
    EXPECT_THAT(result.error, HasSubstr("doesn't speak the MySQL protocol")) << bytes;
  }
}

TEST(Greet, TheAddressMustBeNumeric) {
  EXPECT_THAT(greet("localhost", 1, soon()).error, HasSubstr("not a numeric address"));
}

TEST(MysqlLookTest, APassiveLookConnectsToNobody) {
  const Peer peer(sends(kGreeting));
  MysqlLook look("127.0.0.1", peer.port(), MysqlLook::Mode::passive);
  EXPECT_EQ(look.current().looked_at_ns, 0);
  for (int i = 0; i < 5; ++i) look.tick();
  const PortVerdict verdict = look.current();
  EXPECT_TRUE(verdict.answers) << verdict.reason;
  EXPECT_EQ(verdict.how, "socket table");
  EXPECT_GT(verdict.looked_at_ns, verdict.since_ns);
  EXPECT_EQ(peer.served(), 0);
}

TEST(MysqlLookTest, AnActiveLookConnectsOnEachTick) {
  const Peer peer(sends(kGreeting));
  MysqlLook look("127.0.0.1", peer.port(), MysqlLook::Mode::active);
  for (int i = 0; i < 3; ++i) look.tick();
  EXPECT_TRUE(look.current().answers) << look.current().reason;
  EXPECT_EQ(look.current().how, "connection");
  EXPECT_GE(peer.served(), 2);
}

TEST(MysqlLookTest, SeesAPortGoAway) {
  auto peer = std::make_unique<Peer>(sends(kGreeting));
  MysqlLook look("127.0.0.1", peer->port(), MysqlLook::Mode::passive);
  look.tick();
  EXPECT_TRUE(look.current().answers);
  peer.reset();
  look.tick();
  EXPECT_FALSE(look.current().answers);
  EXPECT_TRUE(look.current().ever_answered);
}

TEST(MysqlLookTest, FindsAServerThatAcceptsNobodyAndSeesItRecover) {
  Peer peer(sends(kGreeting));
  MysqlLook look("127.0.0.1", peer.port(), MysqlLook::Mode::passive);
  look.tick();
  peer.hold(true);
  // One connection is still taken by the accept(2) that waits.
  for (int i = 0; i < 3; ++i) {
    std::thread([&] { greet("127.0.0.1", peer.port(), Deadline::after(milliseconds(100))); }).join();
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
