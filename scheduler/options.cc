#include "scheduler/options.h"

#include <unistd.h>

#include <algorithm>

#define CXXOPTS_NO_REGEX  // its regular expressions are slow to set up
#include <charconv>
#include <cxxopts.hpp>
#include <map>
#include <string_view>

#include "scheduler/completion.h"

namespace pulse {

namespace {

constexpr const char* kCommands =
    "Commands:\n"
    "  beat            one reconciliation, then exit: what ProxySQL's scheduler runs\n"
    "  beat --dry-run  print what a beat would do and why; change nothing\n"
    "  job NAME        run a job of the file's list pulse.jobs: one of a name at a time, gone by its timeout\n"
    "  guard NAME -- COMMAND ARGUMENT...\n"
    "                  the same for the command given here; --leader-only\n"
    "  status          what the state segment says, for a person; --watch, --json\n"
    "  maintenance on  readiness is 503 until \"maintenance off\"\n"
    "  resync          the next beat puts proxysql_servers back to the file's entries and loads it\n"
    "  drain           lets clients leave, then shuts ProxySQL down: for a preStop hook; --no-shutdown leaves it up\n"
    "  undrain         puts a ProxySQL that was drained and runs on back into service\n"
    "  dump [TABLE]    writes a stats_ table, by default stats_mysql_query_digest, into a new file\n"
    "  check-config    print the effective configuration and where each value comes from\n"
    "  completion bash print a script that completes command lines: source <(proxysql-pulse completion bash); or zsh\n"
    "\n"
    "Exit codes: 0 done; 64 usage; 69 admin interface unreachable or refused; 70 a statement failed; 74 a dump that\n"
    "can't be written; 75 skipped (another one runs, or backing off); 78 bad configuration; 124 hard timeout. job and\n"
    "guard: the command's own; 75 skipped (it runs already, or this node isn't the leader); 126, 127 it can't be run;\n"
    "128+N ended by signal N.\n";

// Arguments that each command takes after its name.
const std::map<std::string, std::vector<std::string>>& commands() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"beat", {}},   {"status", {}},       {"maintenance", {"on", "off"}},
      {"resync", {}}, {"drain", {}},        {"undrain", {}},
      {"dump", {}},   {"check-config", {}}, {"completion", {"bash", "zsh"}},
      {"job", {}},    {"guard", {}}};
  return table;
}

// The long options in a help text.
std::vector<std::string> options_in(const std::string& help) {
  std::vector<std::string> options;
  for (size_t at = 0; (at = help.find("--", at)) != std::string::npos; at += 2) {
    const size_t end = help.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    options.push_back(help.substr(at, end - at));
  }
  return options;
}

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

Result<Options> check_dump(Options options) {
  if (options.arguments.size() > 1) return usage("dump takes one table");
  if (options.output.empty()) return usage("--output takes a directory, or - for standard output");
  if (options.arguments.empty()) return options;
  auto table = parse_dump_table(options.arguments.front());
  if (!table) return usage(table.error().text);
  table->reset |= options.table.reset;
  options.table = *table;
  return options;
}

Result<Options> check(Options options) {
  const auto command = commands().find(options.command);
  if (options.command.empty()) return usage("no command given");
  if (command == commands().end()) return usage("unknown command \"" + options.command + "\"");
  std::string allowed;
  const bool dump = options.command == "dump";
  const bool job = runs_a_job(options);
  bool known = dump || job || (command->second.empty() && options.arguments.empty());
  for (const std::string& argument : command->second) {
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
  if (dump) return check_dump(std::move(options));
  if (job) return check_job(std::move(options));
  if (!options.program.empty()) return usage("only guard takes a command after --");
  if (options.leader_only) return usage("--leader-only goes with guard");
  return options;
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
  cxxopts::Options parser("proxysql-pulse",
                          "Keeps one ProxySQL of a cluster healed; started by ProxySQL's scheduler.\n");
  parser.positional_help("COMMAND");
  auto add = parser.add_options();
  add("c,config", "the proxysql.cnf with the group pulse",
      cxxopts::value<std::string>()->default_value(kDefaultConfigPath), "FILE");
  add("state", "the state segment's file; also spares a skipped beat the reading of the configuration",
      cxxopts::value<std::string>(), "FILE");
  add("group", "the group that shares the state segment", cxxopts::value<std::string>(), "NAME|GID");
  add("timeout-ms", "the hard timeout of this run", cxxopts::value<int64_t>(), "N");
  add("leader-only", "with guard: only on the leader, and no longer than this node is the leader");
  add("dry-run", "with beat: print the plan, change nothing");
  add("json", "with status: print JSON");
  add("watch", "with status: every second, until Ctrl-C");
  add("no-shutdown", "with drain: ProxySQL runs on, drained");
  add("output", "with dump: the directory of the file, or - for standard output",
      cxxopts::value<std::string>()->default_value(options.output), "DIR|-");
  add("format", "with dump: csv or jsonl", cxxopts::value<std::string>()->default_value("csv"), "FORMAT");
  add("reset", "with dump: read the table's _reset twin, which ProxySQL empties as it is read");
  add("h,help", "this text");
  add("V,version", "the version");
  add("command", "", cxxopts::value<std::string>());
  add("argument", "", cxxopts::value<std::string>());
  parser.parse_positional({"command", "argument"});
  try {
    const cxxopts::ParseResult parsed = parser.parse(argc, argv);
    if (parsed.count("help") != 0) {
      options.text = parser.help({""}) + "\n" + kCommands;
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
    if (parsed.count("command") != 0) options.command = parsed["command"].as<std::string>();
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
    checked->text = completion_script(checked->arguments.front() == "zsh", commands(), options_in(parser.help({""})));
  }
  return checked;
}

}  // namespace pulse
