// The page at / in a browser: Debian's chromium, without a screen. Skips where there is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <sstream>

#include "src/base/exit_code.h"
#include "tests/integration/http_stub.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string find_browser() {
  std::stringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string directory; std::getline(path, directory, ':');) {
    const std::string program = directory + "/chromium";
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return "";
}

class PageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (browser_.empty()) GTEST_SKIP() << "chromium isn't installed";
  }

  // What a person sees of a page after some seconds, as the browser has made it.
  std::string shown(const Server& server, const std::string& url, const std::string& size = "1600,1000") const {
    const std::string home = server.dir() / "browser";
    const Ran ran = run_to_end(
        {browser_, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + home,
         "--window-size=" + size, "--virtual-time-budget=5000", "--dump-dom", url},
        server.dir(), {"HOME=" + home, "PATH=/usr/bin:/bin"});
    return ran.output;
  }
  static std::string url(const Daemon& daemon) { return "http://127.0.0.1:" + std::to_string(daemon.port()) + "/"; }

  static Server::Options options() {
    Server::Options options;
    options.role = "core";
    options.beat_interval_ms = 500;
    options.pulse = "drain={ settle_ms=1000, timeout_ms=20000 }, ";
    return options;
  }

  const std::string browser_ = find_browser();
};

TEST_F(PageTest, OfANodeThatBeatsSaysSo) {
  Server server(options());
  const Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  for (const char* size : {"400,900", "1600,1000"}) {
    const std::string page = shown(server, url(daemon), size);
    EXPECT_THAT(page, HasSubstr("<span class=\"good\">beating</span>")) << page;
    EXPECT_THAT(page, HasSubstr("ready ✓"));
    EXPECT_THAT(page, HasSubstr("core, ProxySQL " + std::to_string(proxysql_major()) + "."));
    EXPECT_THAT(page, HasSubstr("<th>hostgroup</th>"));
    EXPECT_THAT(page, HasSubstr("<section id=\"gone\" class=\"wide\" hidden=\"\""));
    EXPECT_THAT(page, Not(HasSubstr("Content Security Policy"))) << "nothing was refused";
  }
}

TEST_F(PageTest, OfAnUnresponsiveOneAndOfADrainSaysThat) {
  Server server(options());
  const Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  server.wedge(seconds(60));
  ASSERT_TRUE(eventually([&] { return daemon.state() == "admin_unresponsive"; }));
  EXPECT_THAT(shown(server, url(daemon)), HasSubstr("<span class=\"bad\">admin unresponsive</span>"));
  server.unwedge();
  if (is_real()) return;  // hangs on
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  ASSERT_EQ(kExitOk, server.run({"drain", "--no-shutdown"}).exit_code);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "draining"; }));
  const std::string page = shown(server, url(daemon));
  EXPECT_THAT(page, HasSubstr("<span class=\"info\">draining</span>"));
  EXPECT_THAT(page, HasSubstr("<section id=\"drain\" class=\"wide\"><h2>Drain</h2>"));
  EXPECT_THAT(page, HasSubstr("ready ✗"));
}

TEST_F(PageTest, OfADaemonThatWasNeverThereSaysThatItCannotRead) {
  Server server(options());
  std::string text;
  {
    const Daemon daemon(server);
    text = daemon.get("/").text;
  }
  ASSERT_THAT(text, HasSubstr("</html>"));
  // The same page from a file has nobody to ask.
  const std::string page = shown(server, "file://" + server.dir().write("page.html", text));
  EXPECT_THAT(page, HasSubstr("The daemon doesn't answer ("));
  EXPECT_THAT(page, HasSubstr("<span class=\"bad\">no answer</span>"));
}

// The browser gets to the daemon through a port that stays: as `kubectl port-forward` has it.
TEST_F(PageTest, OfADaemonThatEndsSaysSoAndHowOldIsWhatItShows) {
  Server server(options());
  Daemon daemon(server);
  ASSERT_TRUE(eventually([&] { return daemon.state() == "beating"; }));
  std::mutex mutex;
  int shown_status = 0;
  const HttpStub forward([&](const std::string& path) -> std::optional<std::string> {
    const std::lock_guard<std::mutex> hold(mutex);
    const Daemon::Answer answer = daemon.get(path);
    if (answer.status == 0) return std::nullopt;
    // With the first status, the daemon has done its last.
    if (path == "/status" && ++shown_status == 1) {
      daemon.process().signal(SIGTERM);
      EXPECT_EQ(0, daemon.process().wait());
    }
    return answer.head + "\r\n" + answer.text;
  });
  const std::string page = shown(server, "http://127.0.0.1:" + std::to_string(forward.port()) + "/");
  EXPECT_EQ(1, shown_status);
  EXPECT_FALSE(daemon.process().running());
  EXPECT_THAT(page, HasSubstr("<span class=\"good\">beating</span>")) << "what it last said stays";
  EXPECT_THAT(page, HasSubstr("The daemon doesn't answer ("));
  EXPECT_THAT(page, HasSubstr("), what is shown is "));
  EXPECT_THAT(page, Not(HasSubstr("<section id=\"gone\" class=\"wide\" hidden=\"\"")));
}

}  // namespace
}  // namespace pulse::test
