#include "scheduler/cli/command_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "scheduler/cli/help.h"
#include "scheduler/commands.h"

namespace pulse {
namespace {

Result<Options> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "proxysql-pulse");
  return parse_options(program(), static_cast<int>(arguments.size()), arguments.data());
}

// A scheduler row's plain line has a short way of its own; what comes before the command takes the long one.
TEST(Options, BothWaysOfParsingAgree) {
  const std::vector<std::vector<const char*>> lines = {
      {},
      {"--config=/a b,c"},
      {"--config", "/a"},
      {"--state=/s"},
      {"--state", "/s", "--config=/a", "--group=7"},
      {"--group", "staff"},
      {"--config=/first", "--config=/last"},
      {"--config"},
      {"--config="},
      {"--state=relative"},
      {"--no-such=1"},
      {"--timeout-ms=100"},
      {"--timeout-ms=1"},
      {"--dry-run"},
      {"--json"},
      {"stray"},
      {"--config", "--state=/s"},
      {"--leader-only"},
      {"--timeout-ms", "200", "--leader-only", "--config=/a"},
      {"--timeout-ms=86400001"},
  };
  const std::vector<std::vector<const char*>> commands = {
      {"beat"}, {"job", "digests"}, {"job", "NO"}, {"guard", "digests"}};
  for (const auto& command : commands)
    for (const auto& line : lines) {
      std::vector<const char*> after = command, before = line;
      after.insert(after.end(), line.begin(), line.end());
      before.insert(before.end(), command.begin(), command.end());
      if (command.front() == std::string("guard")) {
        for (const char* word : {"--", "/bin/program", "--config=/x", "--", "-h"}) {
          after.push_back(word);
          before.push_back(word);
        }
      }
      const auto a = parse(after), b = parse(before);
      std::string shown = command.front() + std::string(" ");
      for (const char* word : line) shown += std::string(word) + " ";
      ASSERT_EQ(static_cast<bool>(a), static_cast<bool>(b)) << shown;
      if (!a) continue;
      EXPECT_EQ(a->command, b->command) << shown;
      EXPECT_EQ(a->config, b->config) << shown;
      EXPECT_EQ(a->state, b->state) << shown;
      EXPECT_EQ(a->group, b->group) << shown;
      EXPECT_EQ(a->timeout, b->timeout) << shown;
      EXPECT_EQ(a->dry_run, b->dry_run) << shown;
      EXPECT_EQ(a->arguments, b->arguments) << shown;
      EXPECT_EQ(a->program, b->program) << shown;
      EXPECT_EQ(a->leader_only, b->leader_only) << shown;
    }
}

TEST(Options, TakeWhatTheSchedulerGives) {
  const auto plain = parse({"beat", "--config", "/etc/p.cnf", "--state=/s"});
  ASSERT_TRUE(plain);
  EXPECT_EQ("beat", plain->command);
  EXPECT_EQ("/etc/p.cnf", plain->config);
  EXPECT_EQ("/s", plain->state.value_or(""));
  EXPECT_FALSE(plain->dry_run);
  EXPECT_EQ(kDefaultConfigPath, parse({"beat"})->config);
}

TEST(Options, SayWhatIsWrong) {
  EXPECT_EQ("no command given; see proxysql-pulse --help", parse({}).error().text);
  EXPECT_EQ("unknown command \"bet\"; see proxysql-pulse --help", parse({"bet"}).error().text);
  EXPECT_EQ("maintenance takes one argument: on or off; see proxysql-pulse --help",
            parse({"maintenance", "x"}).error().text);
  EXPECT_EQ("beat takes no further argument; see proxysql-pulse --help", parse({"beat", "a", "b", "c"}).error().text);
  EXPECT_EQ("--state takes an absolute path; see proxysql-pulse --help", parse({"beat", "--state=s"}).error().text);
  EXPECT_EQ("on", parse({"maintenance", "on"})->arguments.at(0));
  const std::string names = "1 to 32 of the characters a-z, 0-9, _ and -; see proxysql-pulse --help";
  EXPECT_EQ("job takes one name: " + names, parse({"job"}).error().text);
  EXPECT_EQ("job takes one name: " + names, parse({"job", "../x"}).error().text);
  EXPECT_EQ("guard takes one name: " + names, parse({"guard", "a", "b", "--", "/x"}).error().text);
  EXPECT_EQ("guard takes a command: guard NAME -- /path/of/program ARGUMENT...; see proxysql-pulse --help",
            parse({"guard", "a", "--"}).error().text);
  EXPECT_EQ("the command of a job is in the file; guard takes one; see proxysql-pulse --help",
            parse({"job", "a", "--", "/x"}).error().text);
  EXPECT_EQ("only guard takes a command after --; see proxysql-pulse --help", parse({"beat", "--", "/x"}).error().text);
  EXPECT_EQ("--leader-only goes with guard; see proxysql-pulse --help", parse({"beat", "--leader-only"}).error().text);
  EXPECT_EQ("--timeout-ms takes a whole number from 200 to 86400000; see proxysql-pulse --help",
            parse({"job", "a", "--timeout-ms", "199"}).error().text);
}

TEST(Options, SayWhichCommandTakesThem) {
  EXPECT_EQ("--json goes with doctor and status; see proxysql-pulse --help", parse({"dump", "--json"}).error().text);
  EXPECT_EQ("--leader-only goes with guard; a job has leader_only in the file; see proxysql-pulse --help",
            parse({"job", "a", "--leader-only"}).error().text);
  EXPECT_EQ("completion takes no --timeout-ms; see proxysql-pulse --help",
            parse({"completion", "bash", "--timeout-ms=100"}).error().text);
  EXPECT_EQ("--watch is for people, --json for programs: one of them; see proxysql-pulse --help",
            parse({"status", "--watch", "--json"}).error().text);
}

TEST(Options, AreOfTheKeyThatTheCommandNames) {
  const auto key = [](std::vector<const char*> line) {
    line.push_back("--timeout-ms=5000");
    const auto options = parse(line);
    std::string found = "none";
    for (const Override& each : options->overrides()) {
      if (each.source == "--timeout-ms") found = each.key;
    }
    return found;
  };
  EXPECT_EQ("timeout_ms", key({"beat"}));
  EXPECT_EQ("timeout_ms", key({"--config=/a", "beat"}));
  EXPECT_EQ("drain.timeout_ms", key({"drain"}));
  EXPECT_EQ("timeout_ms", key({"undrain"}));
  EXPECT_EQ("none", key({"dump"}));
  EXPECT_EQ("none", key({"job", "a"}));
}

TEST(Options, AJobsTimeoutIsNotABeats) {
  const auto job = parse({"job", "a", "--timeout-ms=3600000"});
  ASSERT_TRUE(job);
  EXPECT_EQ(3600000, job->timeout->count());
  for (const Override& over : job->overrides()) EXPECT_NE("timeout_ms", over.key);
}

TEST(Options, OfADump) {
  const auto plain = parse({"dump"});
  ASSERT_TRUE(plain);
  EXPECT_EQ("SELECT * FROM stats_mysql_query_digest", plain->table.statement());
  EXPECT_EQ(DumpFormat::csv, plain->format);
  EXPECT_EQ("/tmp", plain->output);
  EXPECT_FALSE(plain->timeout);
  const auto all = parse({"dump", "stats_mysql_errors", "--reset", "--output=-", "--format=jsonl",
                          "--timeout-ms=3600000", "--config", "/a"});
  ASSERT_TRUE(all);
  EXPECT_EQ("SELECT * FROM stats_mysql_errors_reset", all->table.statement());
  EXPECT_EQ(DumpFormat::jsonl, all->format);
  EXPECT_EQ("-", all->output);
  EXPECT_EQ("/a", all->config);
  EXPECT_EQ(std::chrono::hours(1), all->timeout);
  for (const Override& each : all->overrides()) EXPECT_NE("timeout_ms", each.key) << "a beat's timeout";
  EXPECT_TRUE(parse({"dump", "--reset"})->table.reset);
  EXPECT_TRUE(parse({"dump", "stats_mysql_query_digest_reset"})->table.reset);
  EXPECT_EQ("-", parse({"dump", "--output", "-"})->output);
}

TEST(Options, OfADumpThatAreWrong) {
  for (const std::vector<const char*>& line :
       std::vector<std::vector<const char*>>{{"dump", "mysql_users"},
                                             {"dump", "stats_proxysql_servers_metrics"},
                                             {"dump", "stats_mysql_global", "stats_mysql_errors"},
                                             {"dump", "--format=xml"},
                                             {"dump", "--output="},
                                             {"dump", "--timeout-ms=49"},
                                             {"dump", "--timeout-ms=3600001"},
                                             {"dump", "--json"},
                                             {"dump", "--dry-run"},
                                             {"beat", "--reset"},
                                             {"status", "--output=/tmp"},
                                             {"status", "--format=csv"},
                                             {"status", "--timeout-ms=60001"}}) {
    const auto options = parse(line);
    ASSERT_FALSE(options) << line[1];
    EXPECT_NE(std::string::npos, options.error().text.find("see proxysql-pulse --help"));
  }
}

TEST(Help, OfACommandSaysWhatTheCommandTakes) {
  const std::map<std::string, std::string> values = {
      {"--config", "/a"}, {"--state", "/s"},   {"--group", "7"},      {"--timeout-ms", "5000"},
      {"--output", "-"},  {"--format", "csv"}, {"--leader-only", ""}, {"--dry-run", ""},
      {"--json", ""},     {"--watch", ""},     {"--no-shutdown", ""}, {"--reset", ""}};
  const std::vector<std::string> common = options_in(program_help(program()));
  std::set<std::string> said;
  for (const Command* row : program().commands) {
    const Command& command = *row;
    const std::string help = command_help(command);
    EXPECT_EQ(0u, help.find("Usage: proxysql-pulse " + std::string(command.name))) << help;
    EXPECT_EQ(help, parse({command.name, "--help"})->text.value_or(""));
    EXPECT_NE(std::string::npos, program_help(program()).find("\n  " + std::string(command.name) + " "));
    for (const auto& [option, value] : values) {
      std::vector<const char*> line = {command.name};
      if (!command.takes.empty()) line.push_back(command.takes.front());
      const bool runs_a_job = command.name == std::string("job") || command.name == std::string("guard");
      if (runs_a_job || command.name == std::string("install")) line.push_back("name");
      line.push_back(option.c_str());
      if (!value.empty()) line.push_back(value.c_str());
      if (command.name == std::string("guard")) line.insert(line.end(), {"--", "/bin/true"});
      const std::vector<std::string> named = options_in(help);
      const bool told = std::find(named.begin(), named.end(), option) != named.end();
      EXPECT_EQ(told, static_cast<bool>(parse(line))) << command.name << " " << option;
      if (told) said.insert(option);
    }
  }
  EXPECT_EQ(values.size(), said.size());
  EXPECT_EQ(program_help(program()), parse({"--help"})->text.value_or(""));
  EXPECT_EQ("unknown command \"bet\"; see proxysql-pulse --help", parse({"bet", "--help"}).error().text);
  EXPECT_FALSE(parse({"guard", "name", "--", "/bin/program", "--help"})->text) << "the program's own";
}

TEST(Help, SaysWhatTimeoutsAreTaken) {
  for (const Command* row : program().commands) {
    const Command& command = *row;
    const std::string help = command_help(command);
    const size_t at = help.find("--timeout-ms N  ");
    if (at == std::string::npos) continue;
    const size_t least_at = help.find_first_of("0123456789", at);
    const std::string least = std::to_string(std::stoll(help.substr(least_at)));
    const std::string most = std::to_string(std::stoll(help.substr(help.find(" to ", least_at) + 4)));
    std::vector<const char*> line = {command.name};
    if (!command.takes.empty()) line.push_back(command.takes.front());
    if (command.name == std::string("job")) line.push_back("name");
    if (command.name == std::string("guard")) line.insert(line.end(), {"name"});
    line.insert(line.end(), {"--timeout-ms", "0"});
    const size_t value = line.size() - 1;
    if (command.name == std::string("guard")) line.insert(line.end(), {"--", "/bin/true"});
    const std::string below = std::to_string(std::stoll(least) - 1), above = std::to_string(std::stoll(most) + 1);
    for (const auto& [span, taken] :
         std::map<std::string, bool>{{least, true}, {most, true}, {below, false}, {above, false}}) {
      line[value] = span.c_str();
      EXPECT_EQ(taken, static_cast<bool>(parse(line))) << command.name << " " << span;
    }
  }
}

TEST(Help, SaysOfEachExitCodeWhatTheListKnows) {
  for (const ExitCodeRow& row : kExitCodes) {
    const std::string said = std::to_string(row.code) + " " + row.meaning;
    std::string help = program_help(program());
    std::replace(help.begin(), help.end(), '\n', ' ');
    EXPECT_NE(std::string::npos, help.find(said)) << said;
  }
  for (const Command* command : program().commands) {
    for (const Exit& exit : command->exits) {
      for (const int code : {exit.code, exit.second, exit.third}) {
        EXPECT_TRUE(code < 0 || find_exit_code(code) != nullptr) << command->name << " " << code;
      }
      EXPECT_TRUE(exit.code >= 0 || exit.meaning != nullptr) << command->name;
    }
  }
}

TEST(Help, FitsATerminal) {
  std::string all = program_help(program());
  for (const Command* command : program().commands) all += command_help(*command);
  for (size_t at = 0; at < all.size(); at = all.find('\n', at) + 1) {
    EXPECT_LE(all.find('\n', at) - at, 80u) << all.substr(at, 90);
  }
}

}  // namespace
}  // namespace pulse
