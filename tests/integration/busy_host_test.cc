// A host that is busy: its table of connections is long, and a process gets little of a processor.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "src/linux/socket_table.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;

// A network of this thread and of what it starts, with a table of connections of its own; the old one comes back when
// it goes.
class OwnNetwork {
 public:
  OwnNetwork() : old_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (!old_ || ::unshare(CLONE_NEWNET) != 0) return;
    const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    is_up_ = ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
    // Else loopback's are used again after a second.
    std::ofstream("/proc/sys/net/ipv4/tcp_tw_reuse") << 0;
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;
  ~OwnNetwork() {
    if (old_) ::setns(old_.get(), CLONE_NEWNET);
  }
  bool is_up() const { return is_up_; }

  // So many connections that were closed a moment ago, as a proxy leaves them behind. Gone after a minute.
  static void leave_in_time_wait(int count) {
    // The fewer an address has, the sooner a free port is found.
    constexpr int kOfAnAddress = 1'000;
    for (int left = count, last = 2; left > 0; left -= kOfAnAddress, ++last) {
      const std::string host = "127.0.0." + std::to_string(last);
      const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address = loopback_address(0, host.c_str());
      socklen_t size = sizeof address;
      ASSERT_EQ(0, ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size));
      ASSERT_EQ(0, ::listen(listener.get(), 16));
      ASSERT_EQ(0, ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
      for (int i = 0; i < std::min(left, kOfAnAddress); ++i) {
        UniqueFd client = connect_loopback(ntohs(address.sin_port), 5, host.c_str());
        ASSERT_TRUE(client) << std::strerror(errno);
        const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        client.reset();  // who closes first, waits
      }
    }
  }

 private:
  UniqueFd old_;
  bool is_up_ = false;
};

// A cgroup that gives its processes so much of a processor.
class SlowProcessor {
 public:
  // Of each 100 ms. None where cgroups can't be made here.
  explicit SlowProcessor(std::chrono::microseconds quota) {
    constexpr std::chrono::microseconds kPeriod{100'000};
    const std::string name = "/proxysql-pulse-test." + std::to_string(::getpid());
    for (const auto& [root, file] :
         {std::pair("/sys/fs/cgroup/cpu", "/cpu.cfs_quota_us"), std::pair("/sys/fs/cgroup/unified", "/cpu.max"),
          std::pair("/sys/fs/cgroup", "/cpu.max")}) {
      path_ = root + name;
      if (::mkdir(path_.c_str(), 0755) != 0) continue;
      is_v2_ = std::strcmp(file, "/cpu.max") == 0;
      limit_ = path_ + file;
      if (set(std::to_string(quota.count()) + (is_v2_ ? " " + std::to_string(kPeriod.count()) : ""))) return;
      ::rmdir(path_.c_str());
    }
    path_.clear();
  }
  SlowProcessor(const SlowProcessor&) = delete;
  SlowProcessor& operator=(const SlowProcessor&) = delete;
  ~SlowProcessor() {
    if (path_.empty()) return;
    EXPECT_TRUE(eventually([this] { return ::rmdir(path_.c_str()) == 0; })) << path_;
  }
  bool is_there() const { return !path_.empty(); }
  // From now on its processes get what they ask for.
  void give_back() const { EXPECT_TRUE(set(is_v2_ ? "max" : "-1")) << limit_; }
  // In the child that is to run there.
  void enter() const { std::ofstream(path_ + "/cgroup.procs") << ::getpid(); }

 private:
  bool set(const std::string& text) const {
    std::ofstream limit(limit_, std::ios::out | std::ios::in);
    limit << text;
    return static_cast<bool>(limit.flush());
  }

  std::string path_;
  std::string limit_;  // the file
  bool is_v2_ = false;
};

TEST(BusyHost, ADrainCountsItsClients) {
  const OwnNetwork network;
  if (!network.is_up()) GTEST_SKIP() << "needs the right to make a network namespace";
  Server::Options options;
  options.pulse = "interval_ms=2000, timeout_ms=1500, drain={ settle_ms=1000, timeout_ms=12000 },";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  std::vector<Result<AdminClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(
        AdminClient::connect({"127.0.0.1", server.mysql_port(), "app", "app", false}, Deadline::after(seconds(5))));
    ASSERT_TRUE(clients.back()) << clients.back().error().text;
  }
  ASSERT_NO_FATAL_FAILURE(OwnNetwork::leave_in_time_wait(60'000));

  // As much of a processor as makes a walk through the table last as long as it does on a host that is busy. There are
  // two tables, or one that is walked twice.
  constexpr auto kWalk = milliseconds(350);
  nanoseconds both = seconds(30);
  for (int i = 0; i < 3; ++i) {
    const int64_t began_ns = monotonic_ns();
    const auto counted = count_established(server.mysql_port(), Deadline::after(seconds(10)));
    ASSERT_TRUE(counted);
    ASSERT_EQ(3u, *counted);
    both = std::min(both, nanoseconds(monotonic_ns() - began_ns));
  }
  const auto quota = std::chrono::duration_cast<std::chrono::microseconds>(both / 2) * 100 / kWalk.count();
  const SlowProcessor slow(std::max(quota, std::chrono::microseconds(1000)));
  if (!slow.is_there()) GTEST_SKIP() << "needs the right to make a cgroup";

  server.wedge(seconds(60));
  Process drain(server.pulse({"drain"}), server.dir(), {{}, "drain", [&] { slow.enter(); }});
  const auto are_counted = [&](int wanted) {
    return eventually([&] { return server.status()["drain"]["clients"] == wanted || !drain.running(); }) &&
           server.status()["drain"]["clients"] == wanted;
  };
  EXPECT_TRUE(are_counted(3)) << server.status()["drain"] << drain.output() << " quota " << quota.count();
  clients.back()->close(Deadline::after(seconds(5)));
  EXPECT_TRUE(are_counted(2)) << server.status()["drain"] << drain.output();
  // How fast the table is walked says nothing of how long it takes to find ProxySQL's process in /proc.
  slow.give_back();
  EXPECT_EQ(kExitOk, drain.wait()) << drain.output();
  EXPECT_THAT(drain.output(), HasSubstr("2 clients cut"));
}

}  // namespace
}  // namespace pulse::test
