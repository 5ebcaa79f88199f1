#include "daemon/leader/lease.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "tests/unit/spans.h"

namespace pulse {
namespace {

using nlohmann::json;

constexpr int64_t kRealtime = 1'700'000'000 * kSecond;

LeasePolicy policy(const std::string& identity) {
  return {identity, milliseconds(15000), milliseconds(10000), milliseconds(2000)};
}

LeaseRecord record(const std::string& holder, const std::string& renewed, int64_t transitions = 3) {
  LeaseRecord made;
  made.holder = holder;
  made.duration_s = 15;
  made.transitions = transitions;
  made.acquire_time = "acquired by " + holder;
  made.renew_time = renewed;
  return made;
}

// A candidate and the clock that it is asked by.
class Asked {
 public:
  explicit Asked(const std::string& identity = "me") : candidate(policy(identity)) {}

  // The answer to the present request, which takes no time.
  LeaseStep answer(LeaseReply reply, const LeaseRecord& lease = {}) {
    step = candidate.next(step.request, reply, lease, now, now, 0.5);
    return step;
  }
  LeaseStep see(const std::string& holder, const std::string& renewed) {
    return answer(LeaseReply::ok, record(holder, renewed));
  }
  // The write goes through as asked.
  LeaseStep accept() { return answer(LeaseReply::ok, candidate.to_write(kRealtime + now)); }
  bool leads() const { return candidate.is_leader(now); }

  LeaseCandidate candidate;
  LeaseStep step = LeaseCandidate::first();
  int64_t now = 1000 * kSecond;
};

void expect_step(const LeaseStep& step, LeaseRequest request, double wait_s) {
  EXPECT_EQ(request, step.request);
  EXPECT_DOUBLE_EQ(wait_s, static_cast<double>(step.wait.count()) / kSecond);
}

TEST(Lease, ReadsAndWritesTheObjectAndKeepsWhatItDoesNotKnow) {
  const std::string text = R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1",
    "metadata":{"name":"l","resourceVersion":"7","annotations":{"a":"b"}},
    "spec":{"holderIdentity":"x","leaseDurationSeconds":15,"acquireTime":"2026-01-31T12:00:00.000001Z",
            "renewTime":"2026-01-31T12:00:05.000001Z","leaseTransitions":4,"strategy":"OldestEmulationVersion"}})";
  auto parsed = parse_lease(text);
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ("x", parsed->holder);
  EXPECT_EQ(15, parsed->duration_s);
  EXPECT_EQ(4, parsed->transitions);
  parsed->holder = "me";
  const json body = json::parse(lease_body(*parsed, "l", "n"));
  EXPECT_EQ("me", body["spec"]["holderIdentity"]);
  EXPECT_EQ("7", body["metadata"]["resourceVersion"]);
  EXPECT_EQ("b", body["metadata"]["annotations"]["a"]);
  EXPECT_EQ("OldestEmulationVersion", body["spec"]["strategy"]);

  const json fresh = json::parse(lease_body(record("me", "t"), "l", "n"));
  EXPECT_EQ("coordination.k8s.io/v1", fresh["apiVersion"]);
  EXPECT_EQ("l", fresh["metadata"]["name"]);
  EXPECT_EQ("n", fresh["metadata"]["namespace"]);
  EXPECT_FALSE(fresh["metadata"].contains("resourceVersion"));

  EXPECT_EQ("malformed JSON", parse_lease("{").error().text);
  EXPECT_EQ("malformed JSON", parse_lease("").error().text);
  EXPECT_EQ("not a Lease but \"Status\"", parse_lease(R"({"kind":"Status"})").error().text);
  EXPECT_EQ("a Lease without a resourceVersion", parse_lease(R"({"kind":"Lease","metadata":{}})").error().text);
  const auto bare = parse_lease(R"({"kind":"Lease","metadata":{"resourceVersion":"1"},"spec":null})");
  ASSERT_TRUE(bare);
  EXPECT_EQ("", bare->holder);
}

TEST(Lease, IsCreatedWhereThereIsNone) {
  Asked asked;
  expect_step(asked.step, LeaseRequest::get, 0);
  expect_step(asked.answer(LeaseReply::not_found), LeaseRequest::create, 0);
  EXPECT_FALSE(asked.leads());
  const LeaseRecord written = asked.candidate.to_write(kRealtime);
  EXPECT_EQ("me", written.holder);
  EXPECT_EQ(15, written.duration_s);
  EXPECT_EQ(0, written.transitions);
  expect_step(asked.accept(), LeaseRequest::update, 2);
  EXPECT_TRUE(asked.leads());
  EXPECT_EQ(asked.now + 10 * kSecond, asked.candidate.valid_until_ns());
  EXPECT_EQ(asked.now + 15 * kSecond, asked.candidate.handover_ns());

  Asked late;
  late.answer(LeaseReply::not_found);
  expect_step(late.answer(LeaseReply::conflict), LeaseRequest::get, 0);
  EXPECT_FALSE(late.leads());
  expect_step(late.see("other", "t1"), LeaseRequest::get, 2 * (1 + 1.2 * 0.5));
}

// By this clock alone: the times in the record are whatever they are.
TEST(Lease, OfAnotherIsTakenWhenItHasNotChangedForItsDuration) {
  Asked asked;
  asked.see("other", "1970-01-01T00:00:00.000000Z");
  EXPECT_FALSE(asked.leads());
  asked.now += 14 * kSecond;
  expect_step(asked.see("other", "1970-01-01T00:00:00.000000Z"), LeaseRequest::get, 3.2);
  asked.now += kSecond;
  EXPECT_EQ(LeaseRequest::update, asked.see("other", "1970-01-01T00:00:00.000000Z").request);
  EXPECT_FALSE(asked.leads()) << "not before the write";
  EXPECT_EQ(4, asked.candidate.to_write(kRealtime).transitions);
  asked.accept();
  EXPECT_TRUE(asked.leads());
  EXPECT_EQ("me", asked.candidate.holder());

  Asked renewed;
  renewed.see("other", "t1");
  renewed.now += 14 * kSecond;
  renewed.see("other", "t2");
  renewed.now += 14 * kSecond;
  EXPECT_EQ(LeaseRequest::get, renewed.see("other", "t2").request) << "it changed 14 s ago";

  Asked longer;
  LeaseRecord patient = record("other", "t1");
  patient.duration_s = 60;
  longer.answer(LeaseReply::ok, patient);
  longer.now += 59 * kSecond;
  EXPECT_EQ(LeaseRequest::get, longer.answer(LeaseReply::ok, patient).request) << "the record's duration counts";
  longer.now += kSecond;
  EXPECT_EQ(LeaseRequest::update, longer.answer(LeaseReply::ok, patient).request);
}

TEST(Lease, ThatWasReleasedIsTakenAtOnce) {
  Asked asked;
  EXPECT_EQ(LeaseRequest::update, asked.see("", "t1").request);
  asked.accept();
  EXPECT_TRUE(asked.leads());
  EXPECT_EQ(4, asked.candidate.transitions());
}

TEST(Lease, IsRenewedWithItsTimeOfAcquisition) {
  Asked asked;
  asked.answer(LeaseReply::not_found);
  asked.accept();
  const std::string acquired = asked.candidate.to_write(kRealtime + asked.now).acquire_time;
  asked.now += 2 * kSecond;
  const LeaseRecord next = asked.candidate.to_write(kRealtime + asked.now);
  EXPECT_EQ(acquired, next.acquire_time);
  EXPECT_NE(acquired, next.renew_time);
  EXPECT_EQ(0, next.transitions);
  expect_step(asked.accept(), LeaseRequest::update, 2);
  EXPECT_EQ(asked.now + 10 * kSecond, asked.candidate.valid_until_ns());
}

// Time counts from when the request was sent: the write may be that old when the answer comes.
TEST(Lease, IsValidFromTheRequestOn) {
  LeaseCandidate candidate(policy("me"));
  candidate.next(LeaseRequest::get, LeaseReply::not_found, {}, 0, 0, 0);
  candidate.next(LeaseRequest::create, LeaseReply::ok, candidate.to_write(kRealtime), 100 * kSecond, 112 * kSecond, 0);
  EXPECT_EQ(110 * kSecond, candidate.valid_until_ns());
  EXPECT_FALSE(candidate.is_leader(112 * kSecond));
}

TEST(Lease, ALeaderThatCannotRenewStopsBeingItBeforeOthersMay) {
  Asked asked;
  asked.answer(LeaseReply::not_found);
  asked.accept();
  const int64_t renewed = asked.now;
  for (int i = 0; i < 4; ++i) {
    asked.now += 2 * kSecond;
    expect_step(asked.answer(LeaseReply::failed), LeaseRequest::get, 2);
    EXPECT_TRUE(asked.leads());
  }
  asked.now = renewed + 10 * kSecond;
  EXPECT_FALSE(asked.leads());
  asked.answer(LeaseReply::failed);
  EXPECT_FALSE(asked.leads());
  // It works again, and nobody has taken it: the record is still this process's.
  LeaseRecord mine = asked.candidate.to_write(kRealtime + asked.now);
  EXPECT_EQ(LeaseRequest::update, asked.answer(LeaseReply::ok, mine).request);
  EXPECT_FALSE(asked.leads()) << "seeing it proves nothing about since when";
  asked.accept();
  EXPECT_TRUE(asked.leads());
  EXPECT_EQ(0, asked.candidate.transitions());
}

TEST(Lease, AFormerLeaderThatWakesUpDoesNotLead) {
  Asked asked;
  asked.answer(LeaseReply::not_found);
  asked.accept();
  asked.now += 60 * kSecond;  // it was stopped
  EXPECT_FALSE(asked.leads());
  expect_step(asked.answer(LeaseReply::conflict), LeaseRequest::get, 0);
  EXPECT_EQ(LeaseRequest::get, asked.see("other", "t9").request);
  EXPECT_FALSE(asked.leads());
  EXPECT_EQ(0, asked.candidate.valid_until_ns());
}

TEST(Lease, AWriteWithoutAnAnswerIsRecognised) {
  Asked asked;
  asked.answer(LeaseReply::not_found);
  const LeaseRecord written = asked.candidate.to_write(kRealtime);
  asked.answer(LeaseReply::failed);
  EXPECT_FALSE(asked.leads());
  asked.now += 3 * kSecond;
  EXPECT_EQ(LeaseRequest::update, asked.answer(LeaseReply::ok, written).request) << "it had gone through";
  EXPECT_FALSE(asked.candidate.has_twin());
  asked.accept();
  EXPECT_TRUE(asked.leads());

  // A renewal that went through twice, the first time without an answer.
  asked.now += 2 * kSecond;
  const LeaseRecord first = asked.candidate.to_write(kRealtime + asked.now);
  asked.answer(LeaseReply::conflict);
  EXPECT_EQ(LeaseRequest::update, asked.answer(LeaseReply::ok, first).request);
  EXPECT_TRUE(asked.leads());
}

TEST(Lease, ConflictsInARowAreNotTriedWithoutAPause) {
  Asked asked;
  EXPECT_EQ(LeaseRequest::update, asked.see("", "t1").request);
  expect_step(asked.answer(LeaseReply::conflict), LeaseRequest::get, 0);
  EXPECT_EQ(LeaseRequest::update, asked.see("", "t1").request);
  const LeaseStep step = asked.answer(LeaseReply::conflict);
  EXPECT_EQ(LeaseRequest::get, step.request);
  EXPECT_GE(step.wait, nanoseconds(2 * kSecond));
}

TEST(Lease, AnotherOfTheSameNameIsAnother) {
  Asked asked;
  EXPECT_EQ(LeaseRequest::get, asked.see("me", "t1").request) << "this process has written nothing";
  EXPECT_TRUE(asked.candidate.has_twin());
  EXPECT_FALSE(asked.leads());
  asked.now += 15 * kSecond;
  EXPECT_EQ(LeaseRequest::update, asked.see("me", "t1").request);
  asked.accept();
  EXPECT_TRUE(asked.leads());
  EXPECT_FALSE(asked.candidate.has_twin());
  asked.now += 2 * kSecond;
  asked.answer(LeaseReply::conflict);
  asked.see("me", "t5");
  EXPECT_FALSE(asked.leads());
  EXPECT_TRUE(asked.candidate.has_twin());
}

TEST(Lease, ARestartedDaemonGoesOnWhereItsNodeWas) {
  Asked asked;
  asked.candidate.inherit(asked.now + 5 * kSecond, asked.now + 10 * kSecond);
  EXPECT_TRUE(asked.leads());
  asked.now += kSecond;
  EXPECT_EQ(LeaseRequest::update, asked.see("me", "t1").request);
  EXPECT_EQ(3, asked.candidate.to_write(kRealtime).transitions);
  EXPECT_EQ("acquired by me", asked.candidate.to_write(kRealtime).acquire_time);
  asked.accept();
  EXPECT_EQ(asked.now + 10 * kSecond, asked.candidate.valid_until_ns());

  Asked lost;
  lost.candidate.inherit(lost.now + 5 * kSecond, lost.now + 10 * kSecond);
  lost.see("other", "t1");
  EXPECT_FALSE(lost.leads());

  Asked late;
  late.candidate.inherit(late.now + 5 * kSecond, late.now + 10 * kSecond);
  late.now += 5 * kSecond;
  EXPECT_EQ(LeaseRequest::get, late.see("me", "t1").request) << "too late: it may be a twin's by now";
}

TEST(Lease, ANodeThatIsNotFitTakesNoneAndLetsGo) {
  Asked asked;
  asked.candidate.set_fit(false);
  EXPECT_EQ(LeaseRequest::get, asked.answer(LeaseReply::not_found).request);
  EXPECT_EQ(LeaseRequest::get, asked.see("", "t1").request);
  asked.candidate.set_fit(true);
  EXPECT_EQ(LeaseRequest::update, asked.see("", "t1").request);
  asked.accept();
  EXPECT_TRUE(asked.leads());
  asked.candidate.set_fit(false);
  EXPECT_FALSE(asked.leads());
  // An answer that was under way.
  EXPECT_EQ(LeaseRequest::get, asked.accept().request);
  EXPECT_FALSE(asked.leads());
}

TEST(Lease, OnlyOnesOwnIsReleased) {
  Asked asked;
  EXPECT_FALSE(asked.candidate.to_release(kRealtime));
  asked.see("other", "t1");
  EXPECT_FALSE(asked.candidate.to_release(kRealtime));
  asked.now += 15 * kSecond;
  asked.see("other", "t1");
  asked.accept();
  const auto release = asked.candidate.to_release(kRealtime);
  ASSERT_TRUE(release);
  EXPECT_EQ("", release->holder);
  EXPECT_EQ(1, release->duration_s);
  EXPECT_EQ(4, release->transitions);
}

TEST(Lease, ThatIsDeletedIsNobodys) {
  Asked asked;
  asked.answer(LeaseReply::not_found);
  asked.accept();
  EXPECT_EQ(LeaseRequest::create, asked.answer(LeaseReply::not_found).request);
  EXPECT_FALSE(asked.leads());
  asked.accept();
  EXPECT_TRUE(asked.leads());
}

// Five candidates and one Lease, in small steps of time: answers come late or never, requests are done late or never,
// candidates stand still for a while, their clocks differ. At no instant are there two leaders, and without faults
// there is one before long.
class Election {
 public:
  Election(unsigned seed, double fault) : random_(seed), fault_(fault) {
    for (int i = 0; i < 5; ++i) nodes_.push_back(std::make_unique<Node>(i));
  }

  void run(int64_t until) {
    for (; now_ < until; now_ += kTick) {
      deliver();
      int leaders = 0;
      for (auto& node : nodes_) {
        leaders += node->candidate.is_leader(clock(*node)) ? 1 : 0;
        if (chance(fault_ / 400)) node->stopped_until = now_ + below(40 * kSecond);
        if (now_ < node->stopped_until) continue;  // it stands still, but its word in the segment counts
        if (!node->pending && now_ >= node->due) send(*node);
      }
      ASSERT_LE(leaders, 1) << "at " << now_ / 1'000'000 << " ms";
      led_ += leaders;
    }
  }
  double share_led() const { return static_cast<double>(led_) / static_cast<double>(now_ / kTick); }
  void heal() { fault_ = 0; }
  int64_t now() const { return now_; }
  int64_t transitions() const { return stored_ ? stored_->transitions : 0; }

 private:
  static constexpr int64_t kTick = 50'000'000;

  struct Node {
    explicit Node(int number) : candidate(policy("node-" + std::to_string(number))), offset(number * 1234 * kSecond) {}
    LeaseCandidate candidate;
    int64_t offset;  // of its clock
    LeaseStep step;
    int64_t due = 0;
    int64_t stopped_until = 0;
    bool pending = false;
    uint64_t request = 0;
  };
  struct Flight {
    Node* node;
    uint64_t request;
    LeaseRequest kind;
    LeaseRecord record;
    std::string version;
    int64_t sent_ns;
    int64_t done_at;      // at the server; -1: never
    int64_t answered_at;  // -1: never, it gives up at give_up_at
    int64_t give_up_at;
    bool done = false;
    LeaseReply reply = LeaseReply::failed;
    LeaseRecord answer = {};
  };

  bool chance(double p) { return std::uniform_real_distribution<double>(0, 1)(random_) < p; }
  int64_t below(int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(random_); }
  int64_t clock(const Node& node) const { return now_ + node.offset; }

  void send(Node& node) {
    Flight flight{&node, ++node.request, node.step.request, {}, "", clock(node), 0, 0, now_ + 5 * kSecond};
    if (flight.kind != LeaseRequest::get) {
      flight.record = node.candidate.to_write(kRealtime + clock(node));
      flight.version = flight.record.object;
    }
    const bool faulty = chance(fault_);
    flight.done_at = faulty && chance(0.3) ? -1 : now_ + below(faulty ? 12 * kSecond : 100'000'000);
    const bool lost = flight.done_at < 0 || (faulty && chance(0.4));
    flight.answered_at = lost ? -1 : flight.done_at + below(faulty ? 8 * kSecond : 100'000'000);
    node.pending = true;
    flights_.push_back(flight);
  }

  void deliver() {
    for (auto& flight : flights_) {
      if (!flight.done && flight.done_at >= 0 && now_ >= flight.done_at) serve(flight);
      Node& node = *flight.node;
      const bool open = node.pending && node.request == flight.request;
      if (!open || now_ < node.stopped_until) continue;
      const bool answered = flight.done && flight.answered_at >= 0 && now_ >= flight.answered_at;
      if (!answered && now_ < flight.give_up_at) continue;
      node.step =
          node.candidate.next(flight.kind, answered ? flight.reply : LeaseReply::failed, flight.answer, flight.sent_ns,
                              clock(node), std::uniform_real_distribution<double>(0, 1)(random_));
      node.due = now_ + node.step.wait.count();
      node.pending = false;
    }
    std::erase_if(flights_, [](const Flight& flight) {
      return (flight.done || flight.done_at < 0) && flight.node->request != flight.request;
    });
  }

  void serve(Flight& flight) {
    flight.done = true;
    flight.reply = LeaseReply::ok;
    if (flight.kind == LeaseRequest::get) {
      if (!stored_) flight.reply = LeaseReply::not_found;
    } else if (flight.kind == LeaseRequest::create) {
      if (stored_) flight.reply = LeaseReply::conflict;
    } else if (!stored_) {
      flight.reply = LeaseReply::not_found;
    } else if (flight.version != stored_->object) {
      flight.reply = LeaseReply::conflict;
    }
    if (flight.reply != LeaseReply::ok) return;
    if (flight.kind != LeaseRequest::get) {
      stored_ = flight.record;
      stored_->object = std::to_string(++version_);  // stands for the resource version
    }
    flight.answer = *stored_;
  }

  std::mt19937_64 random_;
  double fault_;
  int64_t now_ = 0;
  int64_t led_ = 0;
  uint64_t version_ = 0;
  std::optional<LeaseRecord> stored_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::deque<Flight> flights_;
};

TEST(Lease, WithoutFaultsThereIsOneLeaderAndItStays) {
  Election election(1, 0);
  election.run(600 * kSecond);
  EXPECT_GT(election.share_led(), 0.99);
  EXPECT_EQ(0, election.transitions());
}

TEST(Lease, WhateverHappensThereAreNeverTwoLeadersAndThenThereIsOne) {
  int64_t transitions = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Election election(seed, 0.35);
    election.run(900 * kSecond);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed;
    const double before = election.share_led() * static_cast<double>(election.now());
    election.heal();
    const int64_t healed = election.now();
    election.run(healed + 200 * kSecond);
    const double led = election.share_led() * static_cast<double>(election.now()) - before;
    EXPECT_GT(led, 120.0 * kSecond) << "seed " << seed;
    transitions += election.transitions();
  }
  EXPECT_GT(transitions, 200) << "the faults were such that leaders changed";
}

}  // namespace
}  // namespace pulse
