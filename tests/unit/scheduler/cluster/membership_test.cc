#include "scheduler/cluster/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

namespace pulse {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr uint64_t kBootId = 7;
constexpr int64_t kNow = 500'000'000'000;

class UsableCores : public ::testing::Test {
 protected:
  UsableCores() {
    members_->boot_id = kBootId;
    members_->count = 3;
    members_->cores = 2;
    for (uint32_t i = 0; i < 3; ++i) {
      set_text(members_->members[i].address, "10.0.0." + std::to_string(i + 1));
      set_text(members_->members[i].name, "pod-" + std::to_string(i + 1));
      members_->members[i].port = 6032;
      members_->members[i].created_at = 100 + i;
    }
    members_->members[1].is_self = 1;
    discovery_.boot_id = kBootId;
    discovery_.source = static_cast<uint8_t>(Source::dns);
    discovery_.looked_ns = discovery_.ok_ns = kNow;
  }
  CoreList list() const { return usable_cores(*members_, discovery_, kBootId, kNow, milliseconds(5000)); }

  std::unique_ptr<Members> members_ = std::make_unique<Members>();
  Discovery discovery_{};
};

TEST_F(UsableCores, TakesTheCoresOfAFreshList) {
  const CoreList cores = list();
  ASSERT_EQ("", cores.unusable);
  ASSERT_EQ(2u, cores.cores.size());
  EXPECT_EQ((ServerKey{"10.0.0.1", 6032}), cores.cores[0].server);
  EXPECT_EQ("pod-2", cores.self()->name);
  EXPECT_EQ(101, cores.self()->created_at);
  EXPECT_TRUE(cores.has({"10.0.0.2", 6032}));
  EXPECT_FALSE(cores.has({"10.0.0.3", 6032})) << "a satellite";
}

TEST_F(UsableCores, NoneOnAListThatMayBeWrong) {
  const auto refused = [&](const char* why) {
    EXPECT_FALSE(list().usable());
    EXPECT_THAT(list().unusable, HasSubstr(why));
    EXPECT_TRUE(list().cores.empty()) << why;
  };
  const Discovery good = discovery_;
  set_text(discovery_.error, "403 Forbidden");
  discovery_.ok_ns = kNow - 1000;
  EXPECT_EQ(1000, list().age.count());
  EXPECT_TRUE(list().usable()) << "a failed look doesn't spoil a list that isn't old yet";
  discovery_.ok_ns = kNow - 5'000'000'001;
  refused("5000 ms old: 403 Forbidden");
  discovery_.ok_ns = 0;
  refused("no list of members yet: 403 Forbidden");
  discovery_ = good;
  discovery_.boot_id = 8;
  refused("is proxysql-pulsed running");
  discovery_ = good;
  discovery_.source = static_cast<uint8_t>(Source::none);
  refused("pulse.discovery.source is \"none\"");
  discovery_ = good;
  discovery_.members_left_out = 1;
  EXPECT_TRUE(list().usable()) << "a satellite";
  members_->cores = kMembers;
  refused("more than 1024 cores");
  members_->cores = 2;
  discovery_ = good;
  members_->boot_id = 8;
  refused("no list of members yet");
  members_->boot_id = kBootId;
  members_->cores = 0;
  EXPECT_THAT(list().unusable, HasSubstr("no core among the members"));
}

TEST_F(UsableCores, CountsAreBounded) {
  members_->cores = members_->count = 4'000'000'000;
  EXPECT_EQ(3u, list().cores.size()) << "rows without an address are none";
}

TEST(Shown, AddressesAreReadable) {
  EXPECT_EQ("10.0.0.1:6032", shown({"10.0.0.1", 6032}));
  EXPECT_EQ("[fd00::1]:6032", shown({"fd00::1", 6032}));
}

TEST(LoadedThisSecond, Table) {
  const ModuleRow module{"proxysql_servers", 2, 100, ""};
  EXPECT_FALSE(loaded_this_second(nullptr, 100));
  EXPECT_TRUE(loaded_this_second(&module, 100));
  EXPECT_FALSE(loaded_this_second(&module, 101));
  EXPECT_TRUE(loaded_this_second(&module, 95)) << "a peer's clock is a little ahead";
  EXPECT_FALSE(loaded_this_second(&module, 94)) << "that far ahead, waiting for it helps nobody";
}

// Some cores in miniature, each with a list of its own. A load is pulled by all others before the next beat.
class Disputes : public ::testing::Test {
 protected:
  using Table = std::set<std::string>;
  struct Node {
    Table list;
    Dispute dispute{};
    uint32_t loads = 0;
    bool keeps_others = false;
  };

  static ServerKey key(const std::string& host) { return {host, 6032}; }
  CoreList list_of(const Node& node) const {
    CoreList list;
    for (const std::string& host : node.list) list.cores.push_back({key(host), "", 0, false});
    list.keeps_others = node.keeps_others;
    return list;
  }
  Seen seen() const {
    Seen seen;
    seen.now_s = now_ns_ / 1'000'000'000;
    for (const std::string& host : table_) seen.servers.push_back({host, 6032, true, true});
    return seen;
  }
  void beat(Node& node, bool resync = false) {
    watch_dispute(node.dispute, list_of(node), seen(), now_ns_, resync);
    Plan plan;
    plan_membership(list_of(node), seen(), Pulled::by_peers, plan, allowed_changes(node.dispute, seen(), now_ns_));
    Table memory = table_;
    for (const Step& step : plan.steps) {
      const size_t open = step.statement.find('\'');
      const std::string host = step.statement.substr(open + 1, step.statement.find('\'', open + 1) - open - 1);
      if (step.statement.rfind("INSERT", 0) == 0) memory.insert(host);
      if (step.statement.rfind("DELETE", 0) == 0) memory.erase(host);
      ASSERT_FALSE(memory.empty());
      if (!step.loads) continue;
      table_ = memory;
      ++node.loads;
      note_membership_load(node.dispute, {step.part}, now_ns_);
    }
  }
  // So many rounds: each node beats once in two seconds.
  uint32_t rounds(std::vector<Node*> nodes, int count) {
    uint32_t before = 0, after = 0;
    for (const Node* node : nodes) before += node->loads;
    for (int i = 0; i < count; ++i) {
      for (Node* node : nodes) {
        now_ns_ += 2'000'000'000;
        beat(*node);
      }
    }
    for (const Node* node : nodes) after += node->loads;
    return after - before;
  }

  Table table_ = {"10.0.0.1", "10.0.0.2"};
  int64_t now_ns_ = 1'000'000'000'000;
};

TEST_F(Disputes, ListsThatDifferComeToRestWithAllThatAnyOfThemHas) {
  Node a{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}}, b{{"10.0.0.1", "10.0.0.2"}};
  const uint32_t loads = rounds({&a, &b}, 20);
  EXPECT_GE(loads, 4u);
  EXPECT_LE(loads, 10u);
  EXPECT_EQ((Table{"10.0.0.1", "10.0.0.2", "10.0.0.3"}), table_) << "a live core that one of them knows stays";
  EXPECT_EQ(0u, rounds({&a, &b}, 2000)) << "and rests";
  EXPECT_NE(0, b.dispute.stopped_ns);
  EXPECT_EQ(" -10.0.0.3:6032", text(b.dispute.difference));
  EXPECT_EQ(0, a.dispute.stopped_ns) << "it has what its list says";

  b.list = a.list;
  EXPECT_EQ(0u, rounds({&a, &b}, 1));
  EXPECT_EQ(0, b.dispute.stopped_ns) << "another list begins anew";
}

TEST_F(Disputes, ARollingChangeOfTheFileEndsWithTheNewList) {
  Node a{{"10.0.0.1", "10.0.0.2"}}, b{{"10.0.0.1", "10.0.0.2"}};
  rounds({&a, &b}, 200);
  a.list = {"10.0.0.1", "10.0.0.4"};
  rounds({&a, &b}, 30);
  EXPECT_EQ((Table{"10.0.0.1", "10.0.0.2", "10.0.0.4"}), table_);
  b.list = a.list;
  rounds({&a, &b}, 3);
  EXPECT_EQ(a.list, table_);
  rounds({&a, &b}, 200);
  EXPECT_EQ(0, a.dispute.stopped_ns) << "all agree for minutes";
}

TEST_F(Disputes, AListThatComesSomeSecondsLaterElsewhereIsNoDispute) {
  Node a{table_}, b{table_};
  rounds({&a, &b}, 200);
  a.list.insert("10.0.0.3");
  rounds({&a, &b}, 2);
  b.list.insert("10.0.0.3");
  rounds({&a, &b}, 2);
  EXPECT_EQ(a.list, table_);
  EXPECT_EQ(0, a.dispute.stopped_ns + b.dispute.stopped_ns);
}

TEST_F(Disputes, OneWhoNeverStopsIsAnsweredEverMoreRarely) {
  Node a{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}};
  for (int i = 0; i < 1000; ++i) {
    table_ = {"10.0.0.1", "10.0.0.2"};
    rounds({&a}, 1);
  }
  EXPECT_LE(a.loads, 2 * kMostUndone + 2 + 2000 / 300) << "in 2000 s";
  EXPECT_GE(a.loads, 2 * kMostUndone + 4) << "it never gives a core up for good";
}

TEST_F(Disputes, HostNamesGoAndAnEmptyTableIsFilledWhateverThereIs) {
  Node a{{"10.0.0.1", "10.0.0.2"}}, b{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}};
  rounds({&a, &b}, 20);
  ASSERT_NE(0, a.dispute.stopped_ns);
  table_.insert("proxysql-core");
  now_ns_ += 2'000'000'000;
  beat(a);
  EXPECT_EQ(b.list, table_) << "ProxySQL can hang on a name that leads to itself";
  a.dispute.undone = 100;
  table_.clear();
  now_ns_ += 2'000'000'000;
  beat(a);
  EXPECT_EQ(a.list, table_);
}

// A fourth core was added at the admin interface, and saved to disk there; no file has it.
TEST_F(Disputes, AListOfTheFileTakesNobodyAwayWhomAPersonHasAdded) {
  Node a{{"10.0.0.1", "10.0.0.2"}, {}, 0, true}, b = a;
  table_ = {"10.0.0.1", "10.0.0.2", "10.0.0.4", "proxysql-3.headless"};
  EXPECT_EQ(0u, rounds({&a, &b}, 200));
  EXPECT_EQ((Table{"10.0.0.1", "10.0.0.2", "10.0.0.4", "proxysql-3.headless"}), table_);
  table_.clear();
  rounds({&a, &b}, 2);
  EXPECT_EQ(a.list, table_) << "an emptied one is filled";
  for (int i = 0; i < 10; ++i) {  // and a person may take one away, which comes back, and add another
    table_ = {"10.0.0.1", "10.0.0.4"};
    rounds({&a, &b}, 2);
    EXPECT_EQ((Table{"10.0.0.1", "10.0.0.2", "10.0.0.4"}), table_);
  }
  rounds({&a, &b}, 200);
  EXPECT_EQ(0, a.dispute.stopped_ns + b.dispute.stopped_ns) << "more than the list is no dispute";
}

TEST_F(Disputes, AListOfTheFileLeavesRowsThatNobodyHasLoaded) {
  Node a{{"10.0.0.1", "10.0.0.2"}, {}, 0, true};
  Seen typed = seen();
  typed.servers.push_back({"10.0.0.4", 6032, true, false});
  Plan plan;
  plan_membership(list_of(a), typed, Pulled::by_peers, plan);
  EXPECT_TRUE(plan.steps.empty()) << "somebody is about to load it";
  a.keeps_others = false;
  plan_membership(list_of(a), typed, Pulled::by_peers, plan);
  EXPECT_FALSE(plan.steps.empty());
}

TEST_F(Disputes, AResyncBeginsAnew) {
  Node a{{"10.0.0.1", "10.0.0.2"}}, b{{"10.0.0.1", "10.0.0.2", "10.0.0.3"}};
  rounds({&a, &b}, 20);
  ASSERT_NE(0, a.dispute.stopped_ns);
  now_ns_ += 2'000'000'000;
  beat(a, true);
  EXPECT_EQ(a.list, table_);
  EXPECT_EQ(0, a.dispute.stopped_ns);
}

TEST_F(Disputes, AChangeADayIsNoDispute) {
  Node a{{"10.0.0.1", "10.0.0.2"}};
  for (int day = 0; day < 20; ++day) {
    table_.insert("10.0.0.9");
    now_ns_ += 86'400'000'000'000;
    rounds({&a}, 5);
    EXPECT_EQ(a.list, table_);
  }
}

TEST_F(Disputes, AreSaidOnceAndThenOnceAnHour) {
  Dispute before{}, now{};
  EXPECT_EQ("", dispute_line(before, now, 1));
  now.stopped_ns = 1;
  now.undone = 4;
  set_text(now.difference, " -10.0.0.3:6032");
  EXPECT_THAT(dispute_line(before, now, 1), HasSubstr("4 loads of proxysql_servers in a row"));
  EXPECT_EQ("", dispute_line(now, now, 3'600'000'000'000));
  EXPECT_THAT(dispute_line(now, now, 3'600'000'000'001), HasSubstr("by -10.0.0.3:6032"));
  before = now;
  now.stopped_ns = 0;
  EXPECT_THAT(dispute_line(before, now, 2), HasSubstr("again"));
}

}  // namespace
}  // namespace pulse
