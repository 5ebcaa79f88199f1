#include "scheduler/cluster/config_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "scheduler/cluster/core_plan.h"
#include "shm/record/core_record.h"
#include "tests/unit/spans.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kEpoch = 1'700'000'000;  // of the machine's boot

Content content_of(const std::string& file) { return {1, std::hash<std::string>{}(file) | 1}; }

// Cores that beat in turn over one module; what ProxySQL holds isn't simulated but for its versions: tests/model does
// that. A load is what the plan's last statement of a load from the file would do.
class Cores {
 public:
  struct Core {
    std::string file;
    int64_t revision = 0;
    int64_t created_at = 0;
    int64_t started_ns = 0;
    bool answers = true;  // its daemon, to the others
    bool knows_revisions = true;
    CoreRecord record{};
    Applied applied{};
    int64_t version = 1;
    int64_t epoch = 0;
    std::string checksum;
  };

  Cores() {
    config_.role = Role::core;
    config_.core.authority = Authority::revision;
    config_.core.modules = config_.file_groups = {"mysql_users"};
    config_.satellite.peer_timeout = std::chrono::milliseconds(5000);
    config_.discovery.source = Source::kubernetes;
  }

  // At version 2 already, as one that has pulled from the others: so nothing is unlocked.
  Core& add(const std::string& name, int64_t revision, const std::string& file) {
    Core& core = cores_[name];
    core.file = file;
    core.revision = revision;
    core.created_at = now_s();
    restart(name);
    changed_ns_ = now_ns_;
    return core;
  }
  void remove(const std::string& name) {
    cores_.erase(name);
    changed_ns_ = now_ns_;
  }
  Core& operator[](const std::string& name) { return cores_.at(name); }
  Config& config() { return config_; }

  // Of ProxySQL; it pulls from the others at once.
  void restart(const std::string& name) {
    Core& core = cores_.at(name);
    core.started_ns = now_ns_;
    core.version = 2;
    core.epoch = now_s() - 100;
    core.checksum = "0xpulled";
  }
  // Of the machine: the segment is gone.
  void lose_segment(const std::string& name) {
    Core& core = cores_.at(name);
    core.record = CoreRecord{};
    core.applied = Applied{};
    restart(name);
  }
  void pass(int64_t seconds) { now_ns_ += seconds * kSecond; }

  // One beat; whether it loaded its file.
  bool beat(const std::string& name, bool overwritten = false, bool refused = false) {
    Core& core = cores_.at(name);
    CoreList list;
    for (const auto& [other_name, other] : cores_) {
      list.cores.push_back({{other_name, 6032},
                            other_name,
                            other.created_at,
                            other_name == name,
                            other.knows_revisions && all_know() ? other.revision : 0});
    }
    list.changed_ns = changed_ns_;
    list.age = std::chrono::nanoseconds(list_age_ns_);
    if (!all_know()) list.no_revisions = "replicasets: forbidden";
    Reports reports{has_reports_, now_ns_, changed_ns_, 0, ""};
    Applied applied = core.applied;
    for (const auto& [other_name, other] : cores_) {
      if (other_name == name) continue;
      if (other.answers && has_reports_) {
        merge_applied(applied, other.applied);
      } else {
        reports.failing_ns = std::max<int64_t>(1, changed_ns_);
        reports.error = other_name + ": connection refused";
      }
    }
    const FileContents file{std::hash<std::string>{}(core.file), "", {{"mysql_users", content_of(core.file)}}};
    Seen before = seen(core);
    CorePlan made = plan_core({before, list, config_, core.record, core.started_ns, now_ns_, applied, reports,
                               file.identity == core.record.file_identity ? nullptr : &file});
    Outcomes outcomes;
    bool from_file = false;
    for (const Step& step : made.plan.steps) {
      if (!step.loads || step.part != "mysql_users") continue;
      from_file |= step.from_file;
      if (refused) continue;
      outcomes.loaded.push_back(step.part);
      ++core.version;
      core.epoch = now_s();
      core.checksum = step.from_file ? "0x" + core.file : core.checksum;
    }
    if (overwritten) core.epoch = now_s() - 50;
    settle_core(made.record, made.applied, made.plan, outcomes, before, seen(core), now_ns_);
    core.record = made.record;
    core.applied = made.applied;
    return from_file;
  }
  // Beats of all, in turn, for so long; who loaded a file.
  std::vector<std::string> run(int64_t seconds) {
    std::vector<std::string> loaded;
    for (int64_t i = 0; i < seconds; ++i) {
      pass(1);
      for (const auto& [name, core] : cores_) {
        if (beat(name)) loaded.push_back(name);
      }
    }
    return loaded;
  }
  std::string why(const std::string& name) {
    const CoreModule* module = find_core_module(cores_.at(name).record, "mysql_users");
    return module == nullptr ? "" : std::string(text(module->why));
  }
  FileState state(const std::string& name) {
    const CoreModule* module = find_core_module(cores_.at(name).record, "mysql_users");
    return module == nullptr ? FileState::none : static_cast<FileState>(module->state);
  }
  std::string reason(const std::string& name) { return std::string(text(cores_.at(name).record.reason)); }
  void set_reports(bool any) { has_reports_ = any; }
  void set_list_age(int64_t seconds) { list_age_ns_ = seconds * kSecond; }
  int64_t now_s() const { return kEpoch + now_ns_ / kSecond; }

 private:
  bool all_know() const {
    return std::all_of(cores_.begin(), cores_.end(), [](const auto& core) { return core.second.knows_revisions; });
  }
  Seen seen(const Core& core) const {
    Seen seen;
    seen.now_s = now_s();
    seen.modules = {{"mysql_users", core.version, core.epoch, core.checksum},
                    {"proxysql_servers", 2, now_s() - 100, "0xT"}};
    for (const auto& [name, other] : cores_) {
      seen.servers.push_back({name,
                              6032,
                              true,
                              true,
                              now_s(),
                              now_ns_,
                              {{"mysql_users", other.version, other.epoch, core.checksum},
                               {"proxysql_servers", 2, now_s() - 100, "0xT"}}});
    }
    return seen;
  }

  Config config_;
  std::map<std::string, Core> cores_;
  int64_t now_ns_ = 1000 * kSecond;
  int64_t changed_ns_ = 0;
  int64_t list_age_ns_ = 0;
  bool has_reports_ = true;
};

using Names = std::vector<std::string>;

// Three cores of revision 5 whose file has been applied by one of them.
class AuthorityTest : public ::testing::Test {
 protected:
  AuthorityTest() {
    for (const char* name : {"a", "b", "c"}) {
      cores_.add(name, 5, "old");
      cores_.pass(2);
    }
    EXPECT_EQ(Names{"c"}, cores_.run(30)) << "the newest of them, once";
  }
  Cores cores_;
};

TEST_F(AuthorityTest, ARestartOfAnythingChangesNothing) {  // (a)
  for (const char* name : {"c", "a", "c"}) {
    cores_.restart(name);
    EXPECT_THAT(cores_.run(15), IsEmpty()) << name;
    EXPECT_EQ(FileState::applied, cores_.state(name));
  }
}

TEST_F(AuthorityTest, AHostThatWasRebootedAsksTheOthers) {  // (b)
  cores_.lose_segment("c");
  EXPECT_THAT(cores_.run(30), IsEmpty());
  EXPECT_EQ(FileState::applied, cores_.state("c"));
}

TEST_F(AuthorityTest, ANewPodOfTheSameRevisionTakesWhatTheOthersHave) {  // (c)
  cores_.remove("c");
  cores_.add("d", 5, "old");
  EXPECT_THAT(cores_.run(30), IsEmpty());
  cores_.remove("a");
  cores_.remove("b");
  EXPECT_THAT(cores_.run(30), IsEmpty()) << "what it was told it remembers";
}

TEST_F(AuthorityTest, ARolloutWithAnotherFileLoadsItOnce) {  // (d)
  cores_.add("x", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30));
  EXPECT_EQ(FileState::other_counts, cores_.state("a"));
  cores_.remove("a");
  cores_.add("y", 6, "new");
  cores_.run(10);
  cores_.remove("b");
  cores_.remove("c");
  cores_.add("z", 6, "new");
  EXPECT_THAT(cores_.run(30), IsEmpty());
}

TEST_F(AuthorityTest, ARollbackIsARevisionOfItsOwn) {  // (e)
  cores_.add("x", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30));
  cores_.add("y", 7, "old");
  EXPECT_EQ(Names{"y"}, cores_.run(30));
  EXPECT_EQ(FileState::other_counts, cores_.state("x"));
}

TEST_F(AuthorityTest, AnOldRevisionThatIsMadeAgainIsOld) {  // (f)
  cores_.add("x", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30));
  cores_.remove("a");
  cores_.add("a2", 5, "old");
  EXPECT_THAT(cores_.run(30), IsEmpty()) << "it is the newest pod, but not of the newest revision";
  EXPECT_EQ(FileState::other_counts, cores_.state("a2"));
  EXPECT_THAT(cores_.why("a2"), HasSubstr("revision 6 has been seen, this core is of revision 5"));
  cores_.remove("x");
  cores_.lose_segment("a2");
  EXPECT_THAT(cores_.run(30), IsEmpty()) << "the others know, also when no pod of the new revision is left";
  EXPECT_THAT(cores_.why("a2"), HasSubstr("revision 6's file has been applied"));
}

TEST_F(AuthorityTest, AllCoresReplacedAtOnceLoadTheirFile) {  // (g)
  for (const char* name : {"a", "b", "c"}) cores_.remove(name);
  cores_.add("x", 6, "new");
  cores_.add("y", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30)) << "of the same second, the lowest address";
  EXPECT_EQ(FileState::applied, cores_.state("y"));
}

TEST_F(AuthorityTest, ARestartOfTheRolloutWithTheSameFileChangesNothing) {  // (h)
  cores_.add("x", 6, "old");
  EXPECT_THAT(cores_.run(30), IsEmpty());
  cores_.add("y", 7, "new");
  EXPECT_EQ(Names{"y"}, cores_.run(30));
  cores_.remove("y");
  cores_.add("z", 8, "new");
  EXPECT_THAT(cores_.run(30), IsEmpty());
}

TEST_F(AuthorityTest, OnBootTheFileIsLoadedAfterEachStart) {  // (i)
  cores_.config().core.apply = Apply::on_boot;
  cores_.pass(60);
  cores_.restart("c");
  EXPECT_EQ(Names{"c"}, cores_.run(30));
  cores_.pass(60);
  cores_.restart("c");
  cores_.add("x", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30));
  cores_.pass(60);
  cores_.add("d", 5, "old");
  EXPECT_THAT(cores_.run(30), IsEmpty()) << "revisions, where they are known";
}

class ByTimesOfCreation : public ::testing::Test {
 protected:
  ByTimesOfCreation() {
    for (const char* name : {"a", "b"}) {
      cores_.add(name, 0, "old").knows_revisions = false;
      cores_.pass(2);
    }
    EXPECT_EQ(Names{"b"}, cores_.run(30));
  }
  Cores cores_;
};

TEST_F(ByTimesOfCreation, TheNewestCoresFileCountsAndStatusSaysWhy) {  // (j)
  EXPECT_THAT(cores_.reason("b"),
              HasSubstr("by the pods' creation times, because revisions aren't known: replicasets"));
  cores_.restart("b");
  EXPECT_THAT(cores_.run(15), IsEmpty());
  cores_.add("c", 0, "new").knows_revisions = false;
  EXPECT_EQ(Names{"c"}, cores_.run(30));
  cores_.remove("a");
  cores_.add("a2", 0, "old").knows_revisions = false;
  EXPECT_EQ(Names{"a2"}, cores_.run(30)) << "what nobody can tell without revisions";
}

TEST_F(ByTimesOfCreation, OneAnswerOfTheApiWithoutRevisionsIsNoReasonToLoadAnOldFile) {
  for (const char* name : {"a", "b"}) {
    cores_[name].revision = 5;
    cores_[name].knows_revisions = true;
  }
  EXPECT_THAT(cores_.run(5), IsEmpty());
  cores_.add("x", 6, "new");
  EXPECT_EQ(Names{"x"}, cores_.run(30));
  cores_.add("a2", 5, "old").knows_revisions = false;
  EXPECT_THAT(cores_.run(30), IsEmpty());
  EXPECT_EQ(FileState::waiting, cores_.state("a2"));
  EXPECT_THAT(cores_.why("a2"), HasSubstr("revisions were known when another file was applied"));
  cores_["a2"].knows_revisions = true;
  EXPECT_THAT(cores_.run(30), IsEmpty());
}

TEST_F(AuthorityTest, AnEditOfTheFileWithinOneRevisionCounts) {
  for (const char* name : {"a", "b", "c"}) {  // one after the other, as the kubelets come to it
    cores_[name].file = "edited";
    EXPECT_EQ(name == std::string("c") ? Names{"c"} : Names{}, cores_.run(15)) << name;
  }
  EXPECT_EQ(FileState::applied, cores_.state("a"));
}

TEST_F(AuthorityTest, SoDoesTheEditBack) {
  for (const char* name : {"c", "a", "b"}) {
    cores_[name].file = "edited";
    EXPECT_EQ(name == std::string("c") ? Names{"c"} : Names{}, cores_.run(15)) << name;
  }
  for (const char* name : {"a", "b", "c"}) {
    cores_[name].file = "old";
    EXPECT_EQ(name == std::string("c") ? Names{"c"} : Names{}, cores_.run(15)) << name;
  }
  cores_.restart("a");
  EXPECT_THAT(cores_.run(15), IsEmpty());
}

TEST_F(AuthorityTest, WhenNobodyAnswersItWaitsTenSecondsAndSaysWhatItDoes) {
  for (const char* name : {"a", "b", "c"}) cores_[name].answers = false;
  cores_.pass(20);
  cores_.add("d", 5, "old");
  EXPECT_THAT(cores_.run(9), IsEmpty());
  EXPECT_EQ(FileState::waiting, cores_.state("d"));
  EXPECT_THAT(cores_.why("d"), HasSubstr("connection refused"));
  EXPECT_EQ(Names{"d"}, cores_.run(10)) << "nothing is known: the newest core's file counts";
}

TEST_F(AuthorityTest, ADaemonThatDoesntAskHoldsNothingUpForLong) {
  cores_.set_reports(false);
  cores_.add("x", 6, "new");
  EXPECT_THAT(cores_.run(9), IsEmpty());
  EXPECT_EQ(Names{"x"}, cores_.run(10));
}

TEST_F(AuthorityTest, AListFromBeforeProxySqlsStartDecidesNothing) {
  cores_.add("x", 6, "new");
  cores_.set_list_age(30);
  EXPECT_THAT(cores_.run(20), IsEmpty());
  EXPECT_EQ(static_cast<uint8_t>(Standing::undecided), cores_["x"].record.standing);
  cores_.set_list_age(0);
  EXPECT_EQ(Names{"x"}, cores_.run(5));
}

TEST_F(AuthorityTest, ALoadThatIsRefusedIsTriedEverMoreRarely) {
  cores_.add("x", 6, "new");
  int tries = 0;
  for (int i = 0; i < 300; ++i) {
    cores_.pass(1);
    tries += cores_.beat("x", false, true) ? 1 : 0;
  }
  EXPECT_GT(tries, 6);
  EXPECT_LT(tries, 14);
  EXPECT_THAT(cores_.why("x"), HasSubstr("tries in a row to load it failed, the log says why"));
  cores_["x"].file = "mended";
  cores_.pass(1);
  EXPECT_TRUE(cores_.beat("x")) << "another content is tried at once";
}

TEST_F(AuthorityTest, ALoadThatAPullHasOverwrittenIsDoneAgain) {
  cores_.add("x", 6, "new");
  cores_.pass(1);
  EXPECT_TRUE(cores_.beat("x", true));
  EXPECT_EQ(FileState::to_be_loaded, cores_.state("x"));
  EXPECT_EQ(Names{"x"}, cores_.run(15));
}

// Runtime may hold the other file's rows by now, though that load never counted.
TEST_F(AuthorityTest, AFileThatGoesBackAfterAnUncertainLoadIsLoaded) {
  cores_["c"].file = "edited";
  cores_.pass(1);
  EXPECT_TRUE(cores_.beat("c", true));
  cores_["c"].file = "old";
  EXPECT_EQ(Names{"c"}, cores_.run(15));
}

TEST_F(AuthorityTest, ProxySqlThatDiesBeforeTheLoadHasLastedIsGivenItAgain) {
  cores_.add("x", 6, "new");
  cores_.pass(2);
  EXPECT_TRUE(cores_.beat("x"));
  cores_.pass(3);
  cores_.restart("x");
  EXPECT_EQ(Names{"x"}, cores_.run(30)) << "nobody may have pulled it";
  cores_.restart("x");
  EXPECT_THAT(cores_.run(30), IsEmpty()) << "now it has lasted";
}

TEST_F(AuthorityTest, AnUnreadableFileLoadsNothing) {
  const FileContents file{77, "test.cnf:3: syntax error", {}};
  Seen seen;
  seen.now_s = kEpoch;
  CoreList list;
  const CorePlan made = plan_core(
      {seen, list, cores_.config(), cores_["c"].record, cores_["c"].started_ns, 3000 * kSecond, {}, {}, &file});
  EXPECT_THAT(made.plan.steps, IsEmpty());
  EXPECT_THAT(std::string(text(made.record.modules[0].why)), HasSubstr("syntax error"));
  EXPECT_EQ(cores_["c"].record.file_identity, made.record.file_identity) << "so that it is read again";
}

class AlwaysTest : public ::testing::Test {
 protected:
  AlwaysTest() {
    cores_.config().core.authority = Authority::always;
    cores_.config().discovery.source = Source::fixed;
    cores_.add("a", 0, "old");
    cores_.add("b", 0, "old");
    EXPECT_EQ(Names{"a"}, cores_.run(30)) << "b is told";
  }
  Cores cores_;
};

TEST_F(AlwaysTest, OnlyAFileThatHasChangedIsLoaded) {
  cores_.restart("a");
  EXPECT_THAT(cores_.run(15), IsEmpty());
  cores_.lose_segment("a");
  EXPECT_THAT(cores_.run(15), IsEmpty()) << "b knows it";
  cores_["a"].file = "new";
  EXPECT_EQ(Names{"a"}, cores_.run(15));
  cores_["a"].file = "old";
  EXPECT_EQ(Names{"a"}, cores_.run(15)) << "back is a change, too";
}

TEST_F(AlwaysTest, TwoCoresWithDifferentFilesDontLoadInTurns) {
  cores_["a"].file = "new";
  EXPECT_EQ(Names{"a"}, cores_.run(60));
}

TEST_F(AlwaysTest, WithNobodyToAskTheFileIsLoadedAtOnce) {
  Cores alone;
  alone.config().core.authority = Authority::always;
  alone.add("a", 0, "old");
  EXPECT_EQ(Names{"a"}, alone.run(1));
}

TEST_F(AlwaysTest, OneWithoutASegmentAsksTheOthersFirst) {
  cores_.set_reports(false);
  cores_.add("c", 0, "old");
  EXPECT_THAT(cores_.run(9), IsEmpty());
  cores_.set_reports(true);
  EXPECT_THAT(cores_.run(30), IsEmpty());
}

TEST_F(AlwaysTest, APulseThatIsNewHereTakesNothingAway) {
  Cores found;
  found.config().core.authority = Authority::always;
  found.add("a", 0, "old");
  found.pass(3600);
  EXPECT_THAT(found.run(30), IsEmpty());
  found.restart("a");
  EXPECT_THAT(found.run(30), IsEmpty());
  found["a"].file = "new";
  EXPECT_EQ(Names{"a"}, found.run(15));
}

TEST(NeverTest, NothingIsLoadedFromTheFile) {
  Cores cores;
  cores.config().core.authority = Authority::never;
  cores.add("a", 0, "old");
  EXPECT_THAT(cores.run(30), IsEmpty());
}

// What a core serves and what it may make the newest.
class UnlockTest : public ::testing::Test {
 protected:
  UnlockTest() {
    cores_.config().core.authority = Authority::never;
    cores_.add("a", 0, "file");
    run();
  }
  void start_with(const std::string& checksum) {
    cores_.pass(60);
    cores_.restart("a");
    cores_["a"].version = 1;
    cores_["a"].checksum = checksum;
    run();
  }
  void run() { cores_.run(5); }
  std::string kept() { return std::string(text(find_core_module(cores_["a"].record, "mysql_users")->kept)); }
  Cores cores_;
};

TEST_F(UnlockTest, WhatWasServedIsUnlocked) {
  start_with("0xpulled");
  EXPECT_EQ(2, cores_["a"].version);
  EXPECT_EQ("", kept());
}

TEST_F(UnlockTest, AnEmptyProxysqlDbIsNot) {
  start_with("0x0000000000000000");
  EXPECT_EQ(1, cores_["a"].version);
  EXPECT_THAT(kept(), HasSubstr("mysql_users is empty before ProxySQL's start"));
  EXPECT_THAT(kept(), HasSubstr("LOAD MYSQL USERS TO RUNTIME makes it count"));
  start_with("0x0000000000000000");
  EXPECT_EQ(1, cores_["a"].version) << "nor after another start";
  cores_["a"].version = 2;  // a person loads it
  run();
  EXPECT_EQ("", kept());
}

TEST_F(UnlockTest, NorIsAStaleOne) {
  start_with("0xstale");
  EXPECT_EQ(1, cores_["a"].version);
  EXPECT_THAT(kept(), HasSubstr("is not what was served before ProxySQL's start (0xpulled), it is 0xstale now"));
}

TEST_F(UnlockTest, AnEmptinessIsNeverUnlocked) {
  Cores fresh;
  fresh.config().core.authority = Authority::never;
  fresh.add("a", 0, "file");
  fresh["a"].version = 1;
  fresh["a"].checksum = "0x0";
  fresh.run(5);
  EXPECT_EQ(1, fresh["a"].version);
  EXPECT_NE(std::string_view::npos, text(find_core_module(fresh["a"].record, "mysql_users")->kept).find("is empty"));
}

TEST_F(UnlockTest, WhatWasLoadedFromTheFileAndServedComesBackFromThere) {
  cores_.config().core.authority = Authority::always;
  EXPECT_EQ(Names{"a"}, cores_.run(20));
  start_with("0xstale");
  EXPECT_EQ("0xfile", cores_["a"].checksum) << "it was never saved to disk";
  EXPECT_EQ("", kept());
  cores_.pass(20);
  run();
  cores_["a"].checksum = "0xchanged by a person";
  cores_["a"].epoch = cores_.now_s();
  run();
  start_with("0xstale");
  EXPECT_EQ("0xstale", cores_["a"].checksum) << "the file isn't what was served";
  EXPECT_EQ(1, cores_["a"].version);
}

}  // namespace
}  // namespace pulse
