#include "daemon/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pulse {
namespace {

Result<DaemonOptions> parse(std::vector<std::string> arguments, std::vector<std::string> variables = {}) {
  arguments.insert(arguments.begin(), "proxysql-pulsed");
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
  };
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> environment = pointers(variables);
  return parse_options(static_cast<int>(arguments.size()), argv.data(), environment.data());
}

TEST(DaemonOptionsTest, DefaultToTheUsualFile) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(kDefaultConfigPath, options->config);
  EXPECT_TRUE(options->overrides.empty());
  EXPECT_EQ("", options->text);
}

TEST(DaemonOptionsTest, FlagsStandForKeysAndComeAfterTheEnvironment) {
  const auto options = parse({"-c", "/f", "--state=/s", "--group", "g", "--listen", "::1", "--port", "81"},
                             {"PULSE_DAEMON_PORT=80", "HOME=/"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ("/f", options->config);
  std::string shown;
  for (const Override& over : options->overrides) shown += over.source + ": " + over.key + "=" + over.value + "\n";
  EXPECT_EQ(
      "PULSE_DAEMON_PORT: daemon.port=80\n--state: state=/s\n--group: group=g\n--listen: daemon.listen_address=::1\n"
      "--port: daemon.port=81\n",
      shown);
}

// systemd sends SIGTERM for a restart and an upgrade, too: ProxySQL was shut down and stayed down.
TEST(DaemonOptionsTest, SigtermDrainsWhereAskedForAndNeverUnderSystemd) {
  Config config;
  EXPECT_FALSE(drains_on_sigterm(config, nullptr));
  config.drain.on_sigterm = true;
  EXPECT_TRUE(drains_on_sigterm(config, nullptr));
  EXPECT_TRUE(drains_on_sigterm(config, ""));
  EXPECT_FALSE(drains_on_sigterm(config, "6f1d8c0e7b2a4c5d9e3f"));
}

TEST(DaemonOptionsTest, HelpAndVersionAreTexts) {
  EXPECT_EQ(0u, parse({"--help"})->text.find("Usage: proxysql-pulsed"));
  EXPECT_EQ(0u, parse({"-V"})->text.find("proxysql-pulsed "));
}

TEST(DaemonOptionsTest, WhatIsWrongIsSaid) {
  EXPECT_EQ("unexpected argument x", parse({"x"}).error().text);
  EXPECT_NE(std::string::npos, parse({"--bogus"}).error().text.find("see proxysql-pulsed --help"));
}

}  // namespace
}  // namespace pulse
