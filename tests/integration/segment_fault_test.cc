// A state segment that can't be used: a clear error, no crash; the beat still heals, the daemon says what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "shm/segment/layout.h"
#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// Makes the state path what it must not be. Returns what the error has to say.
struct BadSegment {
  const char* name;
  const char* error;
  void (*make)(const Server& server);
};
void PrintTo(const BadSegment& each, std::ostream* out) { *out << each.name; }

void overwrite(const Server& server, std::streamoff at, const std::string& bytes) {
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  std::fstream file(server.state(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << bytes;
}

class SegmentFault : public ::testing::TestWithParam<BadSegment> {};

TEST_P(SegmentFault, TheBeatHealsAndTheDaemonSaysIt) {
  Server::Options options;
  options.bootstrap = "{ hostname=\"127.0.0.1\", port=1 },";
  Server server(options);
  Daemon daemon(server);
  ASSERT_TRUE(
      eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  server.query("DELETE FROM proxysql_servers");
  server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  std::filesystem::remove(server.state());
  GetParam().make(server);
  if (server.value("SELECT COUNT(*) FROM runtime_proxysql_servers") != "0") {  // making it took a beat
    server.query("DELETE FROM proxysql_servers");
    server.query("LOAD PROXYSQL SERVERS TO RUNTIME");
  }

  const Ran ran = server.beat();
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr(GetParam().error));
  EXPECT_THAT(ran.output, HasSubstr(server.state()));
  EXPECT_EQ("1", server.column("SELECT port FROM runtime_proxysql_servers"));

  EXPECT_TRUE(eventually([&] {
    const nlohmann::json status = daemon.get("/status").body;
    return status["segment"]["problem"].get<std::string>().find(GetParam().error) != std::string::npos;
  })) << daemon.get("/status").body.dump();
  EXPECT_EQ("failing", daemon.state());
  EXPECT_EQ(200, daemon.get("/healthz/ready").status) << "the data plane works";
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
  const Ran status = server.run({"status"});
  EXPECT_EQ(kExitUnavailable, status.exit_code);
  EXPECT_THAT(status.output, HasSubstr(GetParam().error));

  std::filesystem::remove_all(server.state());
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  EXPECT_TRUE(eventually([&] { return daemon.state() == "beating"; })) << "mended by itself";
}

INSTANTIATE_TEST_SUITE_P(
    Each, SegmentFault,
    ::testing::Values(
        BadSegment{"Corrupt", "is not one", [](const Server& server) { overwrite(server, 0, "garbage!"); }},
        BadSegment{"Foreign", "is not one",
                   [](const Server& server) { std::ofstream(server.state()) << std::string(sizeof(Layout), '\x7f'); }},
        BadSegment{"Empty", "is not one", [](const Server& server) { std::ofstream(server.state()) << ""; }},
        BadSegment{"Truncated", "bytes instead of",
                   [](const Server& server) {
                     ASSERT_EQ(kExitOk, server.beat().exit_code);
                     ASSERT_EQ(0, ::truncate(server.state().c_str(), sizeof(Layout) / 2));
                   }},
        BadSegment{"OtherVersion", "has layout version", [](const Server& server) { overwrite(server, 8, "\x63"); }},
        BadSegment{
            "Symlink", "is a symbolic link",
            [](const Server& server) { std::filesystem::create_symlink(server.dir() / "elsewhere", server.state()); }},
        BadSegment{"Directory", "is not a regular file",
                   [](const Server& server) { std::filesystem::create_directory(server.state()); }}),
    [](const auto& each) { return each.param.name; });

TEST(SegmentFaults, ADirectoryThatTakesNoFile) {
  Server::Options options;
  options.pulse = "interval_ms=500, ";
  Server server(options);
  const Ran ran = run_to_end({binary("proxysql-pulse"), "beat", "--config=" + server.config(), "--state=/proc/pulse"},
                             server.dir());
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("the state segment /proc/pulse"));
  Daemon daemon(server, {"--state=/proc/pulse"});
  EXPECT_THAT(daemon.get("/status").body["segment"]["problem"], HasSubstr("/proc/pulse"));
  EXPECT_TRUE(eventually([&] { return daemon.state() == "scheduler_silent"; }));
  EXPECT_THAT(daemon.get("/healthz/live").body["message"], HasSubstr("can it create the state segment"));
  EXPECT_EQ(200, daemon.get("/healthz/live").status);
}

TEST(SegmentFaults, AFullDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small disk";
  Server server({});
  const std::string mount_point = server.dir() / "full";
  std::filesystem::create_directory(mount_point);
  // A mount name space of the beat's own: nothing of it is left.
  const auto mount_small = [mount_point] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=8k") != 0) {
      ::_exit(99);
    }
  };
  const Ran ran =
      run_to_end({binary("proxysql-pulse"), "beat", "--config=" + server.config(), "--state=" + mount_point + "/state"},
                 server.dir(), {}, mount_small);
  if (ran.exit_code == 99) GTEST_SKIP() << "may not mount here";
  EXPECT_EQ(kExitOk, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("No space left on device"));
}

TEST(SegmentFaults, CutShortUnderARunningDaemon) {
  Server server({});
  Daemon daemon(server);
  ASSERT_TRUE(
      eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  ASSERT_EQ(0, ::truncate(server.state().c_str(), 0));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(200, daemon.get("/healthz/ready").status);
    EXPECT_EQ(200, daemon.get("/healthz/live").status);
  }
  EXPECT_TRUE(daemon.process().running());
}

}  // namespace
}  // namespace pulse::test
