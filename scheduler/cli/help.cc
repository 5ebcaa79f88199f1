#include "scheduler/cli/help.h"

#include <algorithm>

#include "src/base/exit_code.h"

namespace pulse {

namespace {

constexpr const char* kProgram =
    R"(proxysql-pulse keeps one ProxySQL of a cluster healed. ProxySQL's own scheduler
runs "proxysql-pulse beat"; the other commands are for people, hooks and
scheduler rows.

Usage: proxysql-pulse [OPTION...] COMMAND

Commands:
  status         how this node is: state, probes, heartbeat, backends, jobs
  check-config   what is made of the configuration file, or is wrong in it
  beat           one reconciliation, then exit; --dry-run: what it would do
  maintenance    "on" takes this node out of service, "off" puts it back
  resync         the next beat of a satellite starts from the file's cores
  drain          lets clients leave, then shuts ProxySQL down
  undrain        puts a ProxySQL that was drained back into service
  dump           writes the query digests, or another table, into a file
  job            runs a program of the list pulse.jobs, within its limits
  guard          the same for a program given here
  completion     prints a script that completes command lines

proxysql-pulse COMMAND --help says all about one. Something is wrong? Begin
with "proxysql-pulse status", then "proxysql-pulse check-config".
)";

constexpr const char* kOptions = R"(
Options of all commands:
  -c, --config FILE      proxysql.cnf with the group pulse (/etc/proxysql.cnf)
      --state FILE       the state segment's file (/dev/shm/proxysql-pulse)
      --group NAME|GID   the group that shares that file (pulse.group)
  -h, --help             this text
)";

constexpr const char* kProgramOptions = R"(      --timeout-ms N     the hard timeout of this run
  -V, --version          the version
)";

constexpr const char* kExitCodes = R"(
Exit codes: 0 done; 64 usage; 69 admin interface unreachable or login refused,
or the state segment can't be used; 70 a statement failed; 74 a dump can't be
written; 75 skipped: another one runs, or backing off; 78 bad configuration;
124 hard timeout. job and guard: the command's own; 126, 127 it can't be run;
128+N it was ended by signal N.
)";

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> list = {
      {"status", {}, R"(Usage: proxysql-pulse status [--watch | --json] [OPTION...]

Shows how this node is, from the state segment and the kernel's socket table.
It never asks ProxySQL, so it answers at once while the admin interface hangs,
and the daemon need not run. For root, ProxySQL's user and members of
pulse.group.

      --watch            live, until Ctrl-C; needs a terminal
      --json             the same as /status of the daemon, for programs
      --timeout-ms N     50 to 60000 (10000)

State, in the first line:
  beating             all is well
  starting            no beat has gone through yet
  failing             beats end with an error: see "last error"
  admin_unresponsive  the admin interface hangs; traffic flows on
  scheduler_silent    ProxySQL starts no beats: see its log, runtime_scheduler
  draining            a drain is under way, or has ended with ProxySQL left up
  maintenance         "maintenance on"

Exit codes: 0 done; 69 the state segment can't be used: the text says why.
)"},
      {"check-config", {}, R"(Usage: proxysql-pulse check-config [OPTION...]

Prints each effective value with where it comes from (file and line, variable,
option), the jobs, and what terminationGracePeriodSeconds a drain needs.
Changes nothing, asks nobody. Passwords are never printed.

      --timeout-ms N     50 to 60000 (10000)

Exit codes: 0 all is right; 78 the file, line and key that aren't.
)"},
      {"beat", {}, R"(Usage: proxysql-pulse beat [--dry-run] [OPTION...]

One reconciliation: looks at ProxySQL, repairs what differs, exits. By hand it
is the same as by the scheduler. Quiet when there is nothing to do.

      --dry-run          print what a beat would do and why; change nothing
      --timeout-ms N     50 to 60000 (pulse.timeout_ms, 4/5 of the interval)

What ProxySQL's scheduler needs, in the same file as the group pulse:
  scheduler = ( { id = 1  active = 1  interval_ms = 2000
                  filename = "/usr/bin/proxysql-pulse"  arg1 = "beat" } )
A ProxySQL that has run before takes it in with, on its admin interface,
  LOAD SCHEDULER FROM CONFIG; LOAD SCHEDULER TO RUNTIME; SAVE SCHEDULER TO DISK;

Exit codes: 0 done; 69 admin interface unreachable or login refused; 70 a
statement failed; 75 skipped: another beat runs, or backing off from an admin
interface that hangs; 78 bad configuration; 124 hard timeout.
)"},
      {"maintenance", {"on", "off"}, R"(Usage: proxysql-pulse maintenance on|off [OPTION...]

on: /healthz/ready answers 503, so that load balancers take this node out.
Nothing is closed or stopped, beats go on. off: back to what is really the
case. It is remembered in the state segment, so it survives ProxySQL and the
daemon.

      --timeout-ms N     50 to 60000 (10000)

Exit codes: 0 done; 69 the state segment can't be used.
)"},
      {"resync", {}, R"(Usage: proxysql-pulse resync [OPTION...]

On a satellite: the next beat puts the file's entries and the discovered cores
into proxysql_servers, removes dead ones and loads it to runtime. For one that
follows wrong cores, or none. The table is never empty meanwhile, traffic isn't
touched.

      --timeout-ms N     50 to 60000 (10000)

Exit codes: 0 asked for; 64 this is a core; 69 the state segment can't be used.
)"},
      {"drain", {}, R"(Usage: proxysql-pulse drain [--no-shutdown] [OPTION...]

Lets clients leave, then shuts this ProxySQL down: readiness is 503 at once,
idle connections are closed while it still serves, and when nobody has been
there for a second, or at the deadline, it is stopped. For a preStop hook, and
for people. A second one waits for the first.

      --no-shutdown      leave ProxySQL up; "undrain" puts it back into service
      --timeout-ms N     of the whole drain, 3000 to 3600000
                         (pulse.drain.timeout_ms, 25000)

Exit codes: 0 done; 69, 70, 124 ProxySQL couldn't be stopped: readiness stays
503 until "undrain"; 78 bad configuration.
)"},
      {"undrain", {}, R"(Usage: proxysql-pulse undrain [OPTION...]

After a drain that left ProxySQL up, or failed: puts back what the drain has
changed, resumes a paused ProxySQL, lets readiness pass again.

      --timeout-ms N     50 to 60000 (5000)

Exit codes: 0 done; 69 admin interface unreachable or login refused; 70 a
statement failed; 75 a drain still runs; 78 bad configuration; 124 hard
timeout.
)"},
      {"dump", {}, R"(Usage: proxysql-pulse dump [TABLE] [OPTION...]

Writes a table of ProxySQL whose name begins with stats_, by default
stats_mysql_query_digest, into a new file and prints its path. The file is
whole or not there. While ProxySQL builds the answer its other admin statements
wait: some 20 s for a million digests. Traffic doesn't.

      --output DIR|-     the file's directory, or - for standard output (/tmp)
      --format FORMAT    csv or jsonl (csv)
      --reset            read the table's _reset twin, which ProxySQL empties as
                         it is read: counts are lost if the dump fails then
      --timeout-ms N     50 to 3600000 (60000)

Exit codes: 0 the file is there; 64 a table that isn't dumped; 69 admin
interface unreachable or login refused; 70 no such table; 74 the file can't be
written; 75 another dump or a drain runs, or the admin interface hangs; 124
hard timeout.
)"},
      {"job", {}, R"(Usage: proxysql-pulse job NAME [OPTION...]

Runs the program that the list pulse.jobs in the file has under that name: one
of a name at a time, and gone by its timeout with all that it has started. Its
output goes into the log, how it went into "status", /status and /metrics. In
the file:
  pulse = { role = "core"
    jobs = ( { name = "upload"  command = ["/usr/local/bin/upload", "-v"]
               timeout_ms = 60000  leader_only = true } ) }

      --timeout-ms N     until all of it is gone, 200 to 86400000 (the job's)

The scheduler row of it has arg1 = "job"  arg2 = "upload".

Exit codes: the program's own; 69 the state segment is another user's; 75 it
runs already, or this node isn't the leader; 78 bad configuration, or no such
job; 124 timed out; 126, 127 it can't be run; 128+N it was ended by signal N.
)"},
      {"guard", {}, R"(Usage: proxysql-pulse guard NAME [OPTION...] -- COMMAND [ARGUMENT...]

Runs a program: one of that name at a time, and gone by its timeout with all
that it has started. It gets an environment of its own (PATH, HOME, LANG).
Its output goes into the log, how it went into "status", /status and /metrics.
  proxysql-pulse guard checker --timeout-ms 30000 -- /usr/local/bin/checker -q

      --leader-only      only on the leader (pulse.leader), and no longer than
                         this node is it
      --timeout-ms N     until all of it is gone, 200 to 86400000 (60000)

Exit codes: the program's own; 69 the state segment is another user's; 75 it
runs already, or this node isn't the leader; 124 timed out; 126, 127 it can't
be run; 128+N it was ended by signal N.
)"},
      {"completion", {"bash", "zsh"}, R"(Usage: proxysql-pulse completion bash|zsh

Prints a script that completes command lines: commands, options, files, and the
names of the jobs in the file. In ~/.bashrc or ~/.zshrc:
  source <(proxysql-pulse completion bash)
)"}};
  return list;
}

const Command* find_command(std::string_view name) {
  const auto found =
      std::find_if(commands().begin(), commands().end(), [&](const Command& command) { return command.name == name; });
  return found == commands().end() ? nullptr : &*found;
}

std::string program_help() { return std::string(kProgram) + kOptions + kProgramOptions + kExitCodes; }

std::string command_help(const Command& command) { return std::string(command.help) + kOptions; }

std::vector<std::string> options_in(const std::string& help) {
  std::vector<std::string> options;
  for (size_t at = 0; (at = help.find("--", at)) != std::string::npos; at += 2) {
    const size_t end = std::min(help.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at), help.size());
    std::string option = help.substr(at, end - at);
    if (option.size() > 2 && std::find(options.begin(), options.end(), option) == options.end()) {
      options.push_back(std::move(option));
    }
  }
  return options;
}

}  // namespace pulse
