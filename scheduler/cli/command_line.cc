#include "scheduler/cli/command_line.h"

#include <unistd.h>

#include <algorithm>

#define CXXOPTS_NO_REGEX  // its regular expressions are slow to set up
#include <charconv>
#include <cxxopts.hpp>
#include <string_view>

#include "scheduler/cli/completion.h"
#include "scheduler/cli/help.h"
#include "scheduler/dump/dump.h"
#include "src/config/jobs.h"

namespace pulse {

namespace {

Error usage(const std::string& text) { return Error{text + "; see proxysql-pulse --help"}; }

bool runs_a_job(const Options& options) { return options.command == "job" || options.command == "guard"; }

Result<void> check_timeout(const Options& options) {
  if (!options.timeout) return {};
  const bool drain = options.command == "drain", dump = options.command == "dump", job = runs_a_job(options);
  const std::chrono::milliseconds least(drain ? 3'000 : job ? kShortestJob.count() : 50);
  const std::chrono::milliseconds most(drain || dump ? 3'600'000 : job ? kLongestJob.count() : 60'000);
  if (*options.timeout >= least && *options.timeout <= most) return {};
  return usage("--timeout-ms takes a whole number from " + std::to_string(least.count()) + " to " +
               std::to_string(most.count()));
}

Result<Options> check_job(Options options) {
  if (options.arguments.size() != 1 || !is_job_name(options.arguments.front())) {
    return usage(options.command + " takes one name: " + kJobNames);
  }
  const bool is_guard = options.command == "guard";
  if (is_guard && (options.program.empty() || options.program.front().empty())) {
    return usage("guard takes a command: guard NAME -- /path/of/program ARGUMENT...");
  }
  if (!is_guard && !options.program.empty()) return usage("the command of a job is in the file; guard takes one");
  if (!is_guard && options.leader_only) {
    return usage("--leader-only goes with guard; a job has leader_only in the file");
  }
  if (auto timeout = check_timeout(options); !timeout) return timeout.error();
  return options;
}

Result<Options> check(Options options) {
  const Command* const command = find_command(options.command);
  if (options.command.empty()) return usage("no command given");
  if (command == nullptr) return usage("unknown command \"" + options.command + "\"");
  std::string allowed;
  const bool dump = options.command == "dump";
  const bool job = runs_a_job(options);
  bool known = dump || job || (command->takes.empty() && options.arguments.empty());
  for (const std::string& argument : command->takes) {
    known |= options.arguments.size() == 1 && options.arguments.front() == argument;
    allowed += (allowed.empty() ? "" : " or ") + argument;
  }
  if (!known) {
    return usage(options.command + " takes " + (allowed.empty() ? "no further argument" : "one argument: " + allowed));
  }
  if (auto timeout = check_timeout(options); !timeout) return timeout.error();
  if (options.dry_run && options.command != "beat") return usage("--dry-run goes with beat");
  if (options.no_shutdown && options.command != "drain") return usage("--no-shutdown goes with drain");
  if (options.watch && options.command != "status") return usage("--watch goes with status");
  if (options.watch && options.json) return usage("--watch is for people, --json for programs: one of them");
  if (options.json && options.command != "status") return usage("--json goes with status");
  if (job) return check_job(std::move(options));
  if (!options.program.empty()) return usage("only guard takes a command after --");
  if (options.leader_only) return usage("--leader-only goes with guard");
  if (!dump) return options;
  auto checked = check_dump(std::move(options));
  return checked ? checked : usage(checked.error().text);
}

// Reads the plain line that a scheduler row has, "beat [--config FILE] [--state FILE] [--group NAME]" and the like with
// "job NAME" or "guard NAME" in front, without cxxopts: to set that up costs more than all the rest of a skipped beat.
// False for any other line, also for a wrong one.
bool take_plain_line(int argc, const char* const* argv, Options& options) {
  if (argc < 2) return false;
  Options plain = options;
  plain.command = argv[1];
  const bool job = runs_a_job(plain);
  if (plain.command != "beat" && !job) return false;
  int i = 2;
  if (job) {
    if (argc < 3 || *argv[2] == '-') return false;
    plain.arguments.emplace_back(argv[i++]);
  }
  for (; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--leader-only" && job) {
      plain.leader_only = true;
      continue;
    }
    std::string value;
    if (const size_t equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < argc && *argv[i + 1] != '-') {
      value = argv[++i];
    }
    if (value.empty()) return false;
    if (name == "--config") {
      plain.config = value;
    } else if (name == "--state" && value.front() == '/') {
      plain.state = value;
    } else if (name == "--group") {
      plain.group = value;
    } else if (name == "--timeout-ms" && job) {
      int64_t span = 0;
      const char* const end = value.data() + value.size();
      if (const auto parsed = std::from_chars(value.data(), end, span); parsed.ec != std::errc{} || parsed.ptr != end) {
        return false;
      }
      plain.timeout = std::chrono::milliseconds(span);
    } else {
      return false;
    }
  }
  if (!job && !plain.program.empty()) return false;
  options = std::move(plain);
  return true;
}

}  // namespace

std::vector<Override> Options::overrides() const {
  std::vector<Override> list = overrides_from_environment(environ);
  if (state) list.push_back({"state", *state, "--state"});
  if (group) list.push_back({"group", *group, "--group"});
  const char* const limited = command == "drain" ? "drain.timeout_ms" : "timeout_ms";
  // The keys are other commands' timeouts.
  if (timeout && command != "dump" && !runs_a_job(*this))
    list.push_back({limited, std::to_string(timeout->count()), "--timeout-ms"});
  return list;
}

Result<Options> parse_options(int argc, const char* const* argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) != "--") continue;
    options.program.assign(argv + i + 1, argv + argc);
    argc = i;
  }
  if (take_plain_line(argc, argv, options)) return runs_a_job(options) ? check_job(std::move(options)) : options;
  cxxopts::Options parser("proxysql-pulse");  // what it says for help is in help.cc
  auto add = parser.add_options();
  add("c,config", "", cxxopts::value<std::string>()->default_value(kDefaultConfigPath));
  for (const char* name : {"state", "group"}) add(name, "", cxxopts::value<std::string>());
  add("timeout-ms", "", cxxopts::value<int64_t>());
  for (const char* name : {"leader-only", "dry-run", "json", "watch", "no-shutdown", "reset"}) add(name, "");
  add("output", "", cxxopts::value<std::string>()->default_value(options.output));
  add("format", "", cxxopts::value<std::string>()->default_value("csv"));
  for (const char* name : {"h,help", "V,version"}) add(name, "");
  for (const char* name : {"command", "argument"}) add(name, "", cxxopts::value<std::string>());
  parser.parse_positional({"command", "argument"});
  try {
    const cxxopts::ParseResult parsed = parser.parse(argc, argv);
    if (parsed.count("command") != 0) options.command = parsed["command"].as<std::string>();
    if (parsed.count("help") != 0) {
      const Command* const command = find_command(options.command);
      if (command == nullptr && !options.command.empty()) return check(std::move(options));
      options.text = command == nullptr ? program_help() : command_help(*command);
      return options;
    }
    if (parsed.count("version") != 0) {
      options.text = "proxysql-pulse " PULSE_VERSION "\n";
      return options;
    }
    options.config = parsed["config"].as<std::string>();
    if (parsed.count("state") != 0) options.state = parsed["state"].as<std::string>();
    if (parsed.count("group") != 0) options.group = parsed["group"].as<std::string>();
    if (parsed.count("timeout-ms") != 0) {
      const int64_t span = parsed["timeout-ms"].as<int64_t>();
      options.timeout = std::chrono::milliseconds(span);
    }
    if (options.state && (options.state->empty() || options.state->front() != '/')) {
      return usage("--state takes an absolute path");
    }
    options.leader_only = parsed.count("leader-only") != 0;
    options.dry_run = parsed.count("dry-run") != 0;
    options.json = parsed.count("json") != 0;
    options.watch = parsed.count("watch") != 0;
    options.no_shutdown = parsed.count("no-shutdown") != 0;
    if (parsed.count("argument") != 0) options.arguments.push_back(parsed["argument"].as<std::string>());
    for (const char* flag : {"output", "format", "reset"}) {
      if (parsed.count(flag) == 0 || options.command == "dump") continue;
      return usage(std::string("--") + flag + " goes with dump");
    }
    options.output = parsed["output"].as<std::string>();
    const std::string format = parsed["format"].as<std::string>();
    if (format != "csv" && format != "jsonl") return usage("--format takes csv or jsonl");
    options.format = format == "csv" ? DumpFormat::csv : DumpFormat::jsonl;
    options.table.reset = parsed.count("reset") != 0;
    options.arguments.insert(options.arguments.end(), parsed.unmatched().begin(), parsed.unmatched().end());
  } catch (const std::exception& failure) {
    return usage(failure.what());
  }
  auto checked = check(std::move(options));
  if (checked && checked->command == "completion") {
    checked->text = completion_script(checked->arguments.front() == "zsh");
  }
  return checked;
}

}  // namespace pulse
