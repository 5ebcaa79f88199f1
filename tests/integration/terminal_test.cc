// What a person sees and types, on a plain terminal of 80 columns and 24 lines.
#include "tests/integration/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/base/exit_code.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The lines as one, with single spaces: what was broken between two words reads on.
std::string running_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + " ";
  std::string squeezed;
  for (const char c : text) {
    if (c != ' ' || squeezed.empty() || squeezed.back() != ' ') squeezed += c;
  }
  return squeezed;
}

TEST(Terminal, TheLiveViewShowsAllOfANodeAndCutsNothing) {
  if (!Terminal::available()) GTEST_SKIP() << "tmux isn't installed";
  Server::Options options;
  options.role = "core";
  options.beat_interval_ms = 1000;
  options.pulse =
      "address=\"127.0.0.1\", discovery={ members=( \"127.0.0.1\", \"127.0.0.2\", \"127.0.0.3:6033\" ) }, "
      "jobs=( { name=\"good\" command=[\"/bin/true\"] }, "
      "{ name=\"a-job-with-a-rather-long-name\" command=[\"/bin/sh\",\"-c\",\"exit 3\"] } ), "
      "leader={ mode=\"lowest\" }, ";
  Server server(options);
  ASSERT_TRUE(eventually([&] { return server.status()["counters"]["ok"] >= 1; })) << server.log();
  const Daemon daemon(server);
  ASSERT_EQ(0, server.run({"job", "good"}).exit_code);
  ASSERT_EQ(3, server.run({"job", "a-job-with-a-rather-long-name"}).exit_code);
  ASSERT_TRUE(eventually([&] { return server.status()["members"].size() == 3; })) << server.status().dump(1);

  Terminal terminal(server.pulse({"status", "--watch"}), 80, 24);
  const auto shows = [&](const std::string& words) {
    return eventually([&] { return running_text(terminal.lines()).find(words) != std::string::npos; });
  };
  const auto nothing_is_cut = [&] {
    const std::vector<std::string> lines = terminal.lines();
    EXPECT_LE(lines.size(), 23u) << "the last line is the cursor's: " << terminal.text();
    EXPECT_EQ(0u, lines.empty() ? 1u : lines[0].find("state ")) << "the first line is there: " << terminal.text();
    EXPECT_EQ(lines.size(), terminal.lines(true).size()) << "none was wrapped: " << terminal.text();
    EXPECT_THAT(terminal.text(), Not(HasSubstr("more line")));
  };
  for (const char* words : {
           "state beating (core)",
           "probes ready yes; live yes; started yes ",
           "drain none",
           "heartbeat ",
           " ok, 0 failed, 0 timed out; skipped: 0 busy, 0 backing off ",
           "backends 1 online, 0 shunned, 0 offline; seen ",
           "leader ",
           "a-job-with-a-rather-long-name: failed ",
           " exit code 3; 0 of 1 ok ",
           "good: ok ",
           "discovery static, list right ",
           "members 3 cores, 0 satellites core 127.0.0.1:",
           "this node",
           "core 127.0.0.2:",
           "core 127.0.0.3:6033",
       }) {
    EXPECT_TRUE(shows(words)) << words << "\n" << terminal.text();
  }
  nothing_is_cut();

  // It is alive: what happens meanwhile comes by itself.
  ASSERT_EQ(kExitOk, server.run({"drain", "--no-shutdown"}, {"PULSE_DRAIN_SETTLE_MS=100"}).exit_code);
  EXPECT_TRUE(shows("state draining (core)")) << terminal.text();
  EXPECT_TRUE(shows("drain ended, outcome drained, began ")) << terminal.text();
  EXPECT_TRUE(shows("probes ready NO; live yes; started yes ")) << terminal.text();
  EXPECT_TRUE(shows("members 3 cores, 0 satellites ")) << terminal.text();
  EXPECT_TRUE(shows("jobs a-job-with-a-rather-long-name: failed ")) << "what isn't well comes first\n"
                                                                    << terminal.text();
  nothing_is_cut();
  terminal.press("C-c");
  EXPECT_TRUE(eventually([&] { return terminal.ended(); }));
}

TEST(Terminal, HelpIsReadableOnIt) {
  if (!Terminal::available()) GTEST_SKIP() << "tmux isn't installed";
  const auto reads = [](const std::vector<std::string>& argv, const std::string& first, const std::string& last) {
    // In a shell that stays: what a pane's program has written may be lost when it ends at once.
    std::vector<std::string> in_shell = {"/bin/sh", "-c", "\"$@\"; read -r _", "sh"};
    in_shell.insert(in_shell.end(), argv.begin(), argv.end());
    Terminal terminal(in_shell, 80, 60);
    EXPECT_TRUE(eventually([&] { return terminal.text().find(last) != std::string::npos; })) << terminal.text();
    EXPECT_THAT(terminal.text(), HasSubstr(first));
    EXPECT_EQ(terminal.lines().size(), terminal.lines(true).size()) << "no line is longer: " << terminal.text();
  };
  for (const char* command : {"doctor", "beat", "status", "maintenance", "resync", "drain", "undrain", "dump", "job",
                              "guard", "check-config", "completion"}) {
    reads({binary("proxysql-pulse"), command, "--help"}, std::string("Usage: proxysql-pulse ") + command, "this text");
  }
  reads({binary("proxysql-pulse"), "--help"}, "Usage: proxysql-pulse [OPTION...] COMMAND", "signal N.");
  reads({binary("proxysql-pulsed"), "--help"}, "Usage: proxysql-pulsed [OPTION...]", "78 bad\nconfiguration.");
}

// Bash and zsh, as they are typed in.
class CompletionTest : public ::testing::TestWithParam<std::string> {};

TEST_P(CompletionTest, CommandsOptionsAndTheJobsOfTheFile) {
  const std::string& shell = GetParam();
  if (!Terminal::available() || ::access(("/bin/" + shell).c_str(), X_OK) != 0) {
    GTEST_SKIP() << "tmux or " << shell << " isn't installed";
  }
  Server::Options options;
  options.start = false;
  options.pulse =
      "jobs=( { name=\"digests\" command=[\"/bin/true\"] }, { name=\"clean-up\" command=[\"/bin/true\"] } ), ";
  Server server(options);
  const bool zsh = shell == "zsh";
  Terminal terminal(zsh ? std::vector<std::string>{"/bin/zsh", "-f", "-i"}
                        : std::vector<std::string>{"/bin/bash", "--norc", "--noprofile", "-i"},
                    200, 40);
  const std::string program = binary("proxysql-pulse");
  terminal.type("PS1='> '; PATH=" + program.substr(0, program.rfind('/')) + ":$PATH; " +
                (zsh ? "autoload -Uz compinit; compinit -u -D; " : "") + "source <(proxysql-pulse completion " + shell +
                "); clear; echo loaded");
  terminal.press("Enter");
  ASSERT_TRUE(eventually([&] {
    return terminal.text().find("\nloaded\n") == std::string::npos && terminal.text().find("loaded\n>") == 0;
  })) << terminal.text();
  const auto completes = [&](const std::string& typed, const std::string& becomes) {
    terminal.press("C-u");
    terminal.type(typed);
    terminal.press("Tab");
    const bool done =
        eventually([&] { return terminal.text().find("> " + becomes) != std::string::npos; }, std::chrono::seconds(10));
    EXPECT_TRUE(done) << typed << "\n" << terminal.text();
  };
  const std::string config = " --config " + server.config();
  completes("proxysql-pulse mainte", "proxysql-pulse maintenance");
  completes("proxysql-pulse maintenance of", "proxysql-pulse maintenance off");
  completes("proxysql-pulse drain --no-sh", "proxysql-pulse drain --no-shutdown");
  completes("proxysql-pulse" + config + " job dig", "proxysql-pulse" + config + " job digests");
  completes("proxysql-pulse job" + config + " cl", "proxysql-pulse job" + config + " clean-up");
  completes("proxysql-pulse --config=" + server.config() + " job dig",
            "proxysql-pulse --config=" + server.config() + " job digests");
  completes("proxysql-pulse dump --config /etc/passw", "proxysql-pulse dump --config /etc/passwd");
  completes("proxysql-pulse dump --config=/etc/passw", "proxysql-pulse dump --config=/etc/passwd");
  completes("proxysql-pulse dump --format js", "proxysql-pulse dump --format jsonl");
  completes("proxysql-pulse guard x -- /bin/sle", "proxysql-pulse guard x -- /bin/sleep");
}

INSTANTIATE_TEST_SUITE_P(Terminal, CompletionTest, ::testing::Values("bash", "zsh"),
                         [](const auto& shell) { return shell.param; });

}  // namespace
}  // namespace pulse::test
