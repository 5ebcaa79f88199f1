// Who may share a segment, and what becomes of those who may not: two ProxySQLs, two users, two pid namespaces.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "shm/segment/lock.h"
#include "shm/segment/segment.h"
#include "src/base/exit_code.h"
#include "src/base/unique_fd.h"
#include "src/config/settings.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uid_t kNobody = 65534;

std::string version_of(Server& server, const std::string& module) {
  return server.value("SELECT version FROM runtime_checksums_values WHERE name = '" + module + "'");
}

Segment open(const std::string& path) {
  SegmentOptions options;
  options.path = path;
  options.create = false;
  options.root_may = true;
  auto segment = Segment::open(options);
  EXPECT_TRUE(segment) << segment.error().text;
  return std::move(*segment);
}

class TwoProxySQLs : public ::testing::Test {
 protected:
  static Server::Options core() {
    Server::Options options;
    options.role = "core";
    options.pulse = "core={ authority=\"always\" }, drain={ timeout_ms=6000, settle_ms=500 }, ";
    return options;
  }
  // The second one's commands, with the path of the first one's segment, as both have it by default.
  Ran second(std::vector<std::string> arguments) const {
    arguments.push_back("--state=" + one_.state());
    return two_.run(std::move(arguments));
  }
  std::string at_one() const { return "is of ProxySQL at 127.0.0.1:" + std::to_string(one_.admin_port()); }

  Server one_{core()};
  Server two_{core()};
};

TEST_F(TwoProxySQLs, EachLoadsItsFileOnceAndNoMore) {
  ASSERT_EQ(kExitOk, one_.beat().exit_code);
  const std::string first = second({"beat"}).output;
  EXPECT_THAT(first, HasSubstr(at_one()));
  EXPECT_THAT(first, HasSubstr("set pulse.state"));
  int beats = 1;
  const auto both_beat = [&] {
    ++beats;
    return one_.beat().exit_code == kExitOk && second({"beat"}).exit_code == kExitOk;
  };
  const auto versions = [&] { return version_of(one_, "mysql_users") + " " + version_of(two_, "mysql_users"); };
  ASSERT_TRUE(eventually([&] { return both_beat() && versions().find('1') == std::string::npos; }, seconds(15)))
      << versions();
  // No module is loaded twice within a second. A beat that timed out behind its load on a busy machine is followed by
  // one more.
  const auto beat_for = [&](seconds span) {
    const Deadline over = Deadline::after(span);
    while (!over.passed()) EXPECT_TRUE(both_beat());
    return versions();
  };
  const std::string loaded = beat_for(seconds(2));
  EXPECT_EQ(loaded, beat_for(seconds(3)));
  EXPECT_EQ(beats, one_.status()["counters"]["started"]) << "the other's beats don't count here";
}

TEST_F(TwoProxySQLs, ADrainOfOneLeavesTheOtherInService) {
  Daemon daemon(one_);
  ASSERT_TRUE(
      eventually([&] { return one_.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  ASSERT_EQ(kExitOk, second({"beat"}).exit_code);
  Process drain(
      [&] {
        std::vector<std::string> argv = two_.pulse({"drain", "--state=" + one_.state()});
        return argv;
      }(),
      two_.dir(), {{}, "drain", {}});
  while (!drain.wait(milliseconds(20))) {
    EXPECT_EQ(200, daemon.get("/healthz/ready").status);
    EXPECT_NE(kExitSkipped, one_.beat().exit_code) << "its beats don't stand aside either";
  }
  EXPECT_EQ(kExitOk, *drain.wait()) << drain.output();
  EXPECT_THAT(drain.output(), HasSubstr("drain"));
  EXPECT_FALSE(two_.process().running());
  EXPECT_EQ(200, daemon.get("/healthz/ready").status);
}

TEST_F(TwoProxySQLs, WhoeverReadsOrSwitchesSaysIt) {
  ASSERT_EQ(kExitOk, one_.beat().exit_code);
  const Ran status = second({"status"});
  EXPECT_EQ(kExitUnavailable, status.exit_code);
  EXPECT_THAT(status.output, HasSubstr(at_one() + " (" + one_.config() + ")"));
  EXPECT_THAT(status.output, HasSubstr("127.0.0.1:" + std::to_string(two_.admin_port())));
  EXPECT_THAT(second({"undrain"}).output, Not(HasSubstr("nothing to do")));
  const Ran maintenance = second({"maintenance", "on"});
  EXPECT_EQ(kExitUnavailable, maintenance.exit_code);
  EXPECT_THAT(maintenance.output, HasSubstr(at_one()));
  EXPECT_EQ(nullptr, one_.status()["maintenance_since"]);
  Daemon daemon(two_, {"--state=" + one_.state()});
  EXPECT_THAT(daemon.get("/status").body["segment"]["problem"].get<std::string>(), HasSubstr(at_one()));
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
}

TEST_F(TwoProxySQLs, ADaemonThatWasThereFirstSaysIt) {
  Daemon daemon(two_, {"--state=" + one_.state()});
  ASSERT_EQ(kExitOk, one_.beat().exit_code);
  EXPECT_TRUE(eventually([&] {
    return daemon.get("/status").body["segment"]["problem"].get<std::string>().find(at_one()) != std::string::npos;
  }));
}

TEST_F(TwoProxySQLs, OneThatIsGoneForGoodLeavesItsSegment) {
  ASSERT_EQ(kExitOk, one_.beat().exit_code);
  one_.kill();
  EXPECT_THAT(second({"beat"}).output, HasSubstr(at_one())) << "a minute must pass";
  {
    Segment segment = open(one_.state());
    segment.layout().last_beat_ns.store(boottime_ns() - 61'000'000'000);
  }
  EXPECT_THAT(second({"beat"}).output, HasSubstr("which is gone: made anew"));
  EXPECT_EQ(0, second({"status"}).exit_code);
}

TEST_F(TwoProxySQLs, OneThatListensKeepsItsSegmentHoweverSilent) {
  ASSERT_EQ(kExitOk, one_.beat().exit_code);
  {
    Segment segment = open(one_.state());
    segment.layout().last_beat_ns.store(boottime_ns() - 3'600'000'000'000);
  }
  EXPECT_THAT(second({"beat"}).output, HasSubstr(at_one()));
  EXPECT_EQ(1, one_.status()["counters"]["started"]);
}

TEST(SharedSegment, AChangedPortInTheSameFileKeepsTheSegment) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  // The file stays, the ports in it change.
  Server moved({});
  std::filesystem::copy_file(moved.config(), server.config(), std::filesystem::copy_options::overwrite_existing);
  const Ran ran = run_to_end(server.pulse({"beat", "--state=" + server.state()}), server.dir());
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, Not(HasSubstr("set pulse.state")));
  Owner owner{};
  ASSERT_TRUE(open(server.state()).layout().owner.read(owner));
  EXPECT_EQ(moved.admin_port(), owner.admin_port);
  BeatRecord record{};
  ASSERT_TRUE(open(server.state()).layout().record.read(record));
  EXPECT_EQ(2u, record.ok);
}

class TwoUsers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
    Server::Options options;
    options.pulse = "interval_ms=500, timeout_ms=200, ";
    server_.emplace(options);
    shared_ = server_->dir() / "shm";
    std::filesystem::create_directory(shared_);
    ASSERT_EQ(0, ::chmod(shared_.c_str(), 01777)) << "as /dev/shm is";
    ASSERT_EQ(0, ::chmod(server_->dir().path().c_str(), 0755));
    ASSERT_EQ(0, ::chmod(server_->config().c_str(), 0644));
    const std::string program = argv("beat").front();
    if (run_to_end({program, "--version"}, server_->dir(), {}, become_nobody).exit_code == 127) {
      GTEST_SKIP() << "another user can't run " << program << ": build where others may enter";
    }
  }
  std::string state() const { return shared_ + "/state"; }
  std::vector<std::string> argv(const std::string& command, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {command, "--state=" + state()});
    return server_->pulse(std::move(more));
  }
  static void become_nobody() {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(99);
  }
  Ran beat_of_nobody() const { return run_to_end(argv("beat"), server_->dir(), {}, become_nobody); }
  Ran beat_of_root() const { return run_to_end(argv("beat"), server_->dir()); }
  nlohmann::json status() const {
    const std::string text = run_to_end(argv("status", {"--json"}), server_->dir()).output;
    return nlohmann::json::parse(text.substr(text.find('{')), nullptr, false);
  }

  std::optional<Server> server_;
  std::string shared_;
};

TEST_F(TwoUsers, NeverBeatAtOnceAndTheSecondSaysWhoDoes) {
  ASSERT_EQ(kExitOk, beat_of_nobody().exit_code);
  server_->wedge(seconds(20));
  Process first(argv("beat", {"--timeout-ms=4000"}), server_->dir(), {{}, "first", become_nobody});
  ASSERT_TRUE(eventually([&] { return status()["heartbeat"]["running"] == true; }));
  const Ran second = beat_of_root();
  EXPECT_EQ(kExitSkipped, second.exit_code) << second.output;
  EXPECT_THAT(second.output, HasSubstr("user 65534 (nobody) holds the beats' lock"));
  EXPECT_EQ(kExitTimeout, first.wait(seconds(10)));
  server_->unwedge();
}

TEST_F(TwoUsers, TheSecondBacksOff) {
  ASSERT_EQ(kExitOk, beat_of_nobody().exit_code);
  server_->wedge(seconds(10));
  int attempts = 0;
  std::string said;
  const Deadline end = Deadline::after(seconds(5));
  while (!end.passed()) {
    const Ran ran = beat_of_root();
    if (ran.exit_code == kExitTimeout) ++attempts;
    said += ran.output;
  }
  EXPECT_GE(attempts, 1);
  EXPECT_LE(attempts, 4) << "at 0, 1.2, 3.4 s, and one for luck";
  EXPECT_THAT(said, HasSubstr("belongs to user 65534 (nobody)"));
  server_->unwedge();
}

TEST_F(TwoUsers, ALockFileThatAnotherHoldsForEverStopsNothing) {
  const std::string lock = state() + ".lock";
  const UniqueFd file(::open(lock.c_str(), O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0644));
  ASSERT_EQ(0, ::fchown(file.get(), kNobody, kNobody));
  ASSERT_EQ(0, ::flock(file.get(), LOCK_EX));
  Daemon daemon(*server_, {"--state=" + state()});
  const Ran ran = beat_of_root();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("belongs to user 65534 (nobody)"));
  EXPECT_THAT(status()["segment"]["lock_problem"].get<std::string>(), HasSubstr("belongs to user 65534 (nobody)"));
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  EXPECT_TRUE(eventually([&] {
    const nlohmann::json body = daemon.get("/status").body;
    return body["segment"]["lock_problem"].get<std::string>().find("65534 (nobody)") != std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] {
    return daemon.process().output().find("belongs to user 65534 (nobody)") != std::string::npos;
  })) << daemon.process().output();
}

// Two ProxySQLs whose /dev/shm is one, as in two containers of a pod: both have their segment at the default path.
class DefaultPath : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a /dev/shm of its own";
    std::filesystem::create_directory(shm_);
    ASSERT_EQ(0, ::chmod(shm_.c_str(), 01777));
    const Ran first = run(one_, {"beat", "--state=" + std::string(kDefaultStatePath)});
    if (first.exit_code == 99) GTEST_SKIP() << "may not mount here";
    ASSERT_EQ(kExitOk, first.exit_code) << first.output;
  }

  Ran run(const Server& server, std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    return run_to_end(server.pulse(std::move(arguments)), server.dir(), environment, [this] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount(shm_.c_str(), "/dev/shm", nullptr, MS_BIND, nullptr) != 0) {
        ::_exit(99);
      }
    });
  }
  nlohmann::json status(const Server& server, const std::vector<std::string>& environment = {}) {
    const std::string text = run(server, {"status", "--json"}, environment).output;
    return nlohmann::json::parse(text.substr(std::min(text.find('{'), text.size())), nullptr, false);
  }
  static void spoil(const Server& server) { std::ofstream(server.config()) << "pulse = { role = \"satellite\"\n"; }

  Server one_{{}};
  Server two_{{}};
  const std::string shm_ = one_.dir() / "shm";
};

TEST_F(DefaultPath, AFileThatCannotBeReadShowsNoOtherNodesState) {
  spoil(two_);
  const Ran ran = run(two_, {"status"});
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr(two_.config() + ":2: syntax error"));
  EXPECT_THAT(ran.output, HasSubstr("where this node's state is isn't known"));
  EXPECT_THAT(ran.output, HasSubstr(std::string(kDefaultStatePath) + " was made under another file"));
  const nlohmann::json shown = status(two_);
  EXPECT_EQ("failing", shown["state"]);
  EXPECT_EQ(0, shown["counters"]["started"]);
  EXPECT_EQ("", shown["proxysql"]["version"]);
  const Ran doctor = run(two_, {"doctor"});
  EXPECT_EQ(kExitCritical, doctor.exit_code);
  EXPECT_THAT(doctor.output, HasSubstr("CRITICAL  state segment: "));
  EXPECT_THAT(doctor.output, Not(HasSubstr("beating")));
  EXPECT_THAT(doctor.output, Not(HasSubstr("mysql port"))) << "which one it is, the file says";
  EXPECT_EQ(kExitUnavailable, run(two_, {"maintenance", "on"}).exit_code);
  EXPECT_EQ(nullptr, status(one_)["maintenance_since"]);
}

TEST_F(DefaultPath, AFileThatCannotBeReadAnyMoreStillShowsItsOwn) {
  spoil(one_);
  EXPECT_EQ(1, status(one_)["counters"]["started"]);
  EXPECT_EQ(kExitOk, run(one_, {"status"}).exit_code);
}

TEST_F(DefaultPath, APathThatIsSaidCountsWithoutTheFile) {
  spoil(two_);
  const std::vector<std::string> environment = {"PULSE_STATE=" + two_.state()};
  ASSERT_EQ(kExitUnavailable, run(two_, {"status"}, environment).exit_code) << "nothing is there yet";
  EXPECT_EQ(0, status(two_, environment)["counters"]["started"]);
  std::filesystem::copy_file(shm_ + "/proxysql-pulse", two_.state());
  EXPECT_EQ(1, status(two_, environment)["counters"]["started"]);
}

TEST_F(DefaultPath, NothingAtTheDefaultPathOfAFileThatCannotBeReadSaysNothingOfBeats) {
  spoil(two_);
  std::filesystem::remove(shm_ + "/proxysql-pulse");
  const Ran ran = run(two_, {"status"});
  EXPECT_EQ(kExitUnavailable, ran.exit_code);
  EXPECT_THAT(ran.output, HasSubstr("nothing is at " + std::string(kDefaultStatePath)));
  EXPECT_EQ("failing", status(two_)["state"]) << "and not that no beat has come";
}

// A holder whose pid, as it lies in the segment, is another process's here.
TEST(SharedSegment, AHolderOfAnotherPidNamespaceCostsNoInnocentItsLife) {
  Server server({});
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  std::vector<std::string> argv = server.pulse({"guard", "innocent"});
  argv.insert(argv.end(), {"--", "/bin/sleep", "60"});
  Process bystander(argv, server.dir(), {{}, "bystander", {}});
  ASSERT_TRUE(eventually([&] { return !server.processes("guard").empty(); }));
  const auto lock = InstanceLock::try_take(server.state(), std::nullopt);
  ASSERT_TRUE(lock && lock->taken());
  Holder holder{};
  holder.pid = bystander.pid();
  holder.began_ns = boottime_ns();
  holder.deadline_ns = boottime_ns() - 1'000'000'000;
  open(server.state()).layout().holder.publish(holder);
  const Ran ran = server.beat();
  EXPECT_EQ(kExitSkipped, ran.exit_code) << ran.output;
  EXPECT_TRUE(bystander.running()) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("another pid namespace"));
}

}  // namespace
}  // namespace pulse::test
