// Control calls change something, so they are for loopback peers and for those that have the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kInside = "PULSE_TEST_IN_NAMESPACE";

// An IPv4 address of this host that isn't loopback; "" if it has none. Who connects to it comes from it.
std::string own_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return "";
  std::string found;
  for (const ifaddrs* each = list; each != nullptr && found.empty(); each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET || (each->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, text, sizeof text);
    if (std::strncmp(text, "127.", 4) != 0) found = text;
  }
  ::freeifaddrs(list);
  return found;
}

// Goes into a network namespace of its own, with 127.0.0.1 and 192.0.2.1. Ends the process with 125 if it may not.
void enter_namespace() {
  const uid_t user = ::getuid();
  if (::unshare(user == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER) != 0) ::_exit(125);
  if (user != 0) std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) ::_exit(125);
  std::strcpy(request.ifr_name, "lo:1");
  sockaddr_in address = loopback_address(0);
  ::inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
  std::memcpy(&request.ifr_addr, &address, sizeof address);
  if (::ioctl(fd.get(), SIOCSIFADDR, &request) != 0) ::_exit(125);
}

class ControlCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    address_ = own_address();
    if (!address_.empty()) return;
    ASSERT_EQ(nullptr, std::getenv(kInside)) << "no other address even there";
    const TempDir dir;
    const std::string name =
        std::string("ControlCalls.") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::vector<std::string> environment = {std::string(kInside) + "=1"};
    if (is_real()) environment.push_back(std::string("PROXYSQL_BIN=") + std::getenv("PROXYSQL_BIN"));
    const Ran inside =
        run_to_end({"/proc/self/exe", "--gtest_filter=" + name}, dir, environment, [] { enter_namespace(); });
    if (inside.exit_code == 125) GTEST_SKIP() << "no address that isn't loopback, and no network namespace to be had";
    ASSERT_EQ(0, inside.exit_code) << inside.output;
    GTEST_SKIP() << "passed, in a network namespace of its own";
  }

  static Server::Options options(const std::string& daemon) {
    Server::Options options;
    options.pulse = "interval_ms=1000, drain={ settle_ms=500, timeout_ms=5000 }, daemon={ " + daemon + " }, ";
    return options;
  }
  Daemon::Answer call(const Daemon& daemon, const std::string& path, const std::string& method,
                      const std::string& headers = "", const std::string& body = "") const {
    return daemon.ask({path, method, headers, body, address_, seconds(30)});
  }
  void expect_refused(Server& server, const Daemon& daemon, const std::string& headers, const std::string& why) const {
    for (const auto& [path, method] : {std::pair("/shutdown", "GET"), std::pair("/shutdown", "POST"),
                                       std::pair("/resync", "POST"), std::pair("/maintenance", "POST")}) {
      const Daemon::Answer answer = call(daemon, path, method, headers, "on");
      EXPECT_EQ(403, answer.status) << path;
      EXPECT_EQ("error", answer.body["status"]);
      EXPECT_THAT(answer.body["message"], HasSubstr(path));
      EXPECT_THAT(answer.body["message"], HasSubstr(why));
    }
    const nlohmann::json status = daemon.get("/status").body;
    EXPECT_TRUE(status["drain"].is_null());
    EXPECT_EQ(false, status["draining"]);
    EXPECT_EQ(false, status["resync_pending"]);
    EXPECT_TRUE(status["maintenance_since"].is_null());
    EXPECT_TRUE(server.process().running());
    EXPECT_TRUE(server.processes("drain").empty());
    EXPECT_EQ(200, call(daemon, "/healthz/ready", "GET").status) << "probes are for everybody";
    EXPECT_EQ(200, call(daemon, "/healthz/live", "GET").status);
  }

  std::string address_;
};

TEST_F(ControlCalls, FromElsewhereAreRefusedWithoutTheTokenAndServedWithIt) {
  const TempDir secrets;
  const std::string file = secrets.write("token", "s3cret\nnot this line\n");
  Server server(options("token_file=\"" + file + "\""));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(
      eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  expect_refused(server, daemon, "", "it comes from " + address_ + " without a token");
  expect_refused(server, daemon, "X-Pulse-Token: wrong\r\n", "its token is not the one");
  expect_refused(server, daemon, "Authorization: Bearer not this line\r\n", "its token is not the one");

  const std::string good = "X-Pulse-Token: s3cret\r\n";
  EXPECT_EQ(200, call(daemon, "/maintenance", "POST", good, "on").status);
  EXPECT_EQ(503, call(daemon, "/healthz/ready", "GET").status);
  EXPECT_EQ(400, call(daemon, "/maintenance", "POST", good, "perhaps").status);
  EXPECT_EQ(200, call(daemon, "/maintenance", "POST", "Authorization: Bearer s3cret\r\n", "off").status);
  EXPECT_EQ(200, call(daemon, "/healthz/ready", "GET").status);
  EXPECT_EQ(202, call(daemon, "/resync", "POST", good).status);
  EXPECT_EQ(true, server.status()["resync_pending"]);

  for (const char* method : {"HEAD", "PUT", "DELETE"}) {
    EXPECT_EQ(405, call(daemon, "/shutdown", method, good).status) << method;
  }
  for (const char* method : {"HEAD", "GET", "PUT"}) {
    EXPECT_EQ(405, call(daemon, "/resync", method, good).status) << method;
    EXPECT_EQ(405, call(daemon, "/maintenance", method, good).status) << method;
  }
  EXPECT_TRUE(server.process().running());

  // It is replaced, as a mounted Secret is.
  secrets.write("token.new", "other\n");
  std::filesystem::rename(secrets / "token.new", secrets / "token");
  EXPECT_TRUE(eventually([&] { return call(daemon, "/maintenance", "POST", good, "off").status == 403; }));
  const Daemon::Answer done = call(daemon, "/shutdown", "GET", "X-Pulse-Token: other\r\n");
  EXPECT_EQ(200, done.status) << done.body;
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(ControlCalls, WithoutATokenFileOnlyLoopbackMayMakeThem) {
  Server server(options(""));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(
      eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  expect_refused(server, daemon, "", "pulse.daemon.token_file isn't set");
  expect_refused(server, daemon, "X-Pulse-Token: \r\n", "pulse.daemon.token_file isn't set");
  EXPECT_EQ(405, daemon.get("/shutdown", "HEAD").status);
  EXPECT_EQ(405, daemon.get("/shutdown", "PUT").status);
  EXPECT_EQ(202, daemon.get("/resync", "POST").status);
  EXPECT_EQ(200, daemon.get("/shutdown").status);
  EXPECT_EQ(0, server.process().wait(seconds(5)));
}

TEST_F(ControlCalls, ATokenFileThatCantBeReadRefusesAndIsSaidOnce) {
  const TempDir secrets;
  Server server(options("token_file=\"" + (secrets / "token") + "\""));
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Daemon daemon(server);
  ASSERT_TRUE(
      eventually([&] { return server.beat().exit_code == kExitOk && daemon.get("/healthz/ready").status == 200; }));
  expect_refused(server, daemon, "X-Pulse-Token: \r\n", "pulse.daemon.token_file");
  const std::string said = "read " + (secrets / "token") + ": No such file or directory";
  EXPECT_THAT(daemon.process().output(), HasSubstr(said));
  secrets.write("token", "late\n");
  EXPECT_TRUE(
      eventually([&] { return call(daemon, "/maintenance", "POST", "X-Pulse-Token: late\r\n", "off").status == 200; }));
  const std::string log = daemon.process().output();
  EXPECT_EQ(log.find(said), log.rfind(said));
}

}  // namespace
}  // namespace pulse::test
