// Each fault at each instant of each program. One cell: the program ends in time, with the right exit code; the segment
// says where it was and adds up; the probes are answered meanwhile; no process, descriptor, thread or file is left; and
// once the fault is lifted, the next beats mend everything.
//
// Adding a fault is adding a row to faults(); adding a program, to programs(). Which statements a program sends, and so
// at how many instants a fault can hit it, is read from a rehearsal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "src/base/exit_code.h"
#include "tests/fault/program.h"

namespace pulse::test {
namespace {

constexpr milliseconds kTimeout{2000};      // of the programs' configuration
constexpr milliseconds kLateTimeout{600};   // where nothing else tells the fault: each such cell costs it
constexpr milliseconds kCommandTime{1000};  // what doesn't talk to ProxySQL doesn't wait for it

// Machines are shared. Unless a sanitizer slows the programs down, less than what lies between the two timeouts.
milliseconds slack() { return is_sanitized() ? milliseconds(8000) : milliseconds(1300); }

// How a fault is noticed.
enum class Noticed { late, lost, late_or_lost, refused };

// Phases of a conversation with the admin interface, as the double's faults have them.
enum Moment : unsigned { kAccept = 1, kGreeting = 2, kLogin = 4, kQuery = 8, kResult = 16 };
constexpr unsigned kConnecting = kGreeting | kLogin;
constexpr unsigned kStatements = kQuery | kResult;

struct Fault {
  const char* name;
  Noticed noticed;
  // Either one of the double's kinds, at these moments...
  const char* kind = nullptr;
  unsigned moments = 0;
  // ... or something that befalls the whole server, and its end. The beat is in this phase then.
  void (*strike)(Server& server) = nullptr;
  void (*lift)(Server& server) = nullptr;
  const char* phase = "connect";
  bool on_a_real_server = false;
  bool mysql_port_answers = true;
  bool same_server = true;  // after lift()
};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> table = {
      {.name = "NotAccepted", .noticed = Noticed::late, .kind = "noaccept", .moments = kAccept},
      {.name = "Silence", .noticed = Noticed::late, .kind = "silence", .moments = kAccept | kConnecting | kStatements},
      {.name = "OneByteEachHalfSecond", .noticed = Noticed::late, .kind = "slow", .moments = kConnecting | kStatements},
      {.name = "Reset", .noticed = Noticed::lost, .kind = "reset", .moments = kAccept | kConnecting | kStatements},
      {.name = "Garbage", .noticed = Noticed::late_or_lost, .kind = "garbage", .moments = kConnecting | kStatements},
      {.name = "CutOff", .noticed = Noticed::lost, .kind = "truncated", .moments = kConnecting | kStatements},
      {.name = "Endless", .noticed = Noticed::late_or_lost, .kind = "endless", .moments = kStatements},
      {.name = "Error", .noticed = Noticed::refused, .kind = "error", .moments = kConnecting | kStatements},
      {.name = "Wedged",
       .noticed = Noticed::late,
       .strike = [](Server& server) { server.wedge(seconds(3)); },
       .lift =
           [](Server& server) {
             server.unwedge();
             if (is_real()) server.query("SELECT 1");  // answered when it is over
           },
       .phase = "observe",
       .on_a_real_server = true},
      {.name = "NoGreeting",
       .noticed = Noticed::late,
       .strike = [](Server& server) { server.control("wedge 2"); },
       .lift = [](Server& server) { server.unwedge(); }},
      {.name = "Stopped",
       .noticed = Noticed::late,
       .strike = [](Server& server) { server.process().signal(SIGSTOP); },
       .lift = [](Server& server) { server.process().signal(SIGCONT); },
       .on_a_real_server = true},
      {.name = "Dead",
       .noticed = Noticed::lost,
       .strike = [](Server& server) { server.kill(); },
       .lift = [](Server& server) { server.start(); },
       .on_a_real_server = true,
       .mysql_port_answers = false,
       .same_server = false},
  };
  return table;
}

// When a fault strikes: a moment, and of the conversation's statements which (from 1; 0 before the login is over).
struct Instant {
  Moment moment;
  size_t statement;
};

bool reads(const std::string& statement) { return statement.rfind("SELECT", 0) == 0; }

std::vector<Instant> instants_of(const Fault& fault, const Program& program,
                                 const std::vector<std::string>& statements) {
  if (fault.kind == nullptr) return {{kAccept, 0}};
  std::vector<Instant> instants;
  for (const Moment moment : {kAccept, kGreeting, kLogin}) {
    if ((fault.moments & moment) != 0) instants.push_back({moment, 0});
  }
  for (const Moment moment : {kQuery, kResult}) {
    if ((fault.moments & moment) == 0) continue;
    for (size_t i = 0; i < statements.size(); ++i) {
      if (moment == kQuery || reads(statements[i])) instants.push_back({moment, i + 1});
    }
  }
  // To a program that doesn't talk to ProxySQL they are all the same.
  if (!program.talks) instants.resize(1);
  // A sanitized program takes long to start, and reads what comes at each of them with the same code.
  if (!is_sanitized()) return instants;
  std::vector<Instant> some;
  for (size_t i = 0; i < instants.size(); i += 3) some.push_back(instants[i]);
  return some;
}

std::string control_line(const Fault& fault, const Instant& instant, const std::vector<std::string>& statements) {
  static const std::map<Moment, const char*> names = {
      {kAccept, "accept"}, {kGreeting, "greeting"}, {kLogin, "login"}, {kQuery, "query"}, {kResult, "result"}};
  const std::string what = std::string(names.at(instant.moment)) + " " + fault.kind;
  return instant.statement == 0 ? "fault " + what : statement_fault(what, statements, instant.statement);
}

struct Expected {
  std::set<int> exit_codes;
  std::string phase;
};

Expected expected_of(const Program& program, const Fault& fault, const Instant& instant,
                     const std::vector<std::string>& statements) {
  if (!program.talks) return {{kExitOk}, ""};
  Expected expected{{}, fault.phase};
  if (instant.statement > 0) {
    // Whatever follows the first change belongs to it.
    const auto end = statements.begin() + static_cast<ptrdiff_t>(instant.statement);
    expected.phase = std::all_of(statements.begin(), end, reads) ? "observe" : "act";
  }
  switch (fault.noticed) {
    case Noticed::late:
      expected.exit_codes = {kExitTimeout};
      break;
    case Noticed::lost:
      expected.exit_codes = {kExitUnavailable};
      break;
    case Noticed::late_or_lost:
      expected.exit_codes = {kExitTimeout, kExitUnavailable};
      break;
    case Noticed::refused:
      expected.exit_codes = {instant.statement == 0 ? kExitUnavailable : kExitStatement};
      break;
  }
  if (fault.noticed == Noticed::refused && instant.statement > 0 && program.way_round != nullptr &&
      statements[instant.statement - 1].find(program.way_round) != std::string::npos) {
    expected.exit_codes = {kExitOk};
  }
  return expected;
}

struct Cell {
  const Program* program;
  const Fault* fault;
};
void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.program->name << ' ' << cell.fault->name; }

std::vector<Cell> cells() {
  std::vector<Cell> all;
  for (const Program& program : programs()) {
    for (const Fault& fault : faults()) {
      // A program that doesn't talk to ProxySQL sends no statement that a fault could hit.
      const bool hits = program.talks || fault.kind == nullptr || (fault.moments & ~kStatements) != 0;
      if (program.in_matrix && hits) all.push_back({&program, &fault});
    }
  }
  return all;
}

class Matrix : public ::testing::TestWithParam<Cell> {
 protected:
  static int64_t count(const nlohmann::json& status, const char* counter) { return status["counters"][counter]; }

  // Runs the program, and asks the probes for as long as it runs.
  static Ran run_under_probes(World& world, const std::vector<std::string>& arguments, bool ready_stays) {
    Server& server = world.server();
    const int64_t began = monotonic_ns();
    Process process(server.pulse(arguments), server.dir(), {{}, "run", {}});
    int probes = 0;
    do {
      for (const char* path : {"/healthz/live", "/healthz/ready"}) {
        const Daemon::Answer answer = world.daemon().get(path);
        EXPECT_NE(0, answer.status) << path << " isn't answered";
        if (ready_stays) {
          EXPECT_EQ(200, answer.status) << path << ": " << answer.body;
        }
        ++probes;
      }
    } while (!process.wait(milliseconds(10)) && nanoseconds(monotonic_ns() - began) < kPatience);
    Ran ran;
    ran.exit_code = process.wait(milliseconds(0)).value_or(-1000);
    ran.took = std::chrono::duration_cast<milliseconds>(nanoseconds(monotonic_ns() - began));
    ran.output = process.output();
    return ran;
  }

  static void check_segment(const nlohmann::json& before, const nlohmann::json& after, const Program& program,
                            const Expected& expected, int exit_code) {
    EXPECT_EQ("", after["segment"]["problem"]);
    EXPECT_EQ(count(after, "started"), count(after, "ok") + count(after, "failed") + count(after, "timed_out"));
    EXPECT_EQ(0, count(after, "killed_overdue"));
    const size_t attempts = program.records ? program.runs.size() : 0;
    EXPECT_EQ(count(before, "started") + static_cast<int64_t>(attempts), count(after, "started"));
    if (!program.records) return;
    const bool ok = exit_code == kExitOk;
    const bool late = exit_code == kExitTimeout;
    const nlohmann::json& heartbeat = after["heartbeat"];
    EXPECT_EQ(false, heartbeat["running"]);
    EXPECT_EQ(late ? "timed_out" : ok ? "ok" : "failed", heartbeat["outcome"]);
    EXPECT_EQ(ok ? "publish" : expected.phase, heartbeat["phase"]);
    EXPECT_EQ(late ? 1 : 0, heartbeat["consecutive_timeouts"]);
    EXPECT_EQ(late, !after["wedged_for_ms"].is_null()) << "back-off follows timeouts, and nothing else";
    EXPECT_EQ(exit_code, after["history"][0]["exit_code"]);
    EXPECT_EQ(ok, after["last_error"] == "");
    EXPECT_EQ(count(before, "timed_out") + (late ? 1 : 0), count(after, "timed_out"));
  }

  // One error says it. A program that its hard timer ended writes nothing any more; the next beat does.
  static void check_output(const Ran& ran) {
    const size_t first = ran.output.find("[error]");
    if (ran.exit_code == kExitOk) {
      EXPECT_EQ(std::string::npos, first) << ran.output;
    } else {
      EXPECT_TRUE(first != std::string::npos || ran.exit_code == kExitTimeout) << ran.output;
    }
    EXPECT_EQ(first, ran.output.rfind("[error]")) << ran.output;
  }

  static std::vector<std::string> state_files(const Server& server) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(server.dir().path())) {
      const std::string name = entry.path().filename();
      if (name.rfind("state", 0) == 0) names.push_back(name);
    }
    return names;
  }

  // Whether all is well again in the end.
  static bool run_cell(World& world, const Fault& fault, const Instant& instant,
                       const std::vector<std::string>& statements) {
    const Program& program = world.program();
    Server& server = world.server();
    // At rest: ProxySQL has threads and connections for its peers.
    const int connections = is_real() ? 0 : world.connections();
    const int threads = server.threads();
    const size_t server_descriptors = descriptors_of(server.process().pid());
    const size_t daemon_descriptors = descriptors_of(world.daemon().process().pid());
    program.spoil(server);
    const nlohmann::json before = server.status();

    if (fault.kind == nullptr) {
      fault.strike(server);
    } else {
      server.control(control_line(fault, instant, statements));
    }
    const Expected expected = expected_of(program, fault, instant, statements);
    const bool late = expected.exit_codes.count(kExitTimeout) != 0;
    const milliseconds talk = (late ? kLateTimeout : kTimeout) + slack();
    const milliseconds most = program.talks || is_sanitized() ? talk : kCommandTime;
    int exit_code = 0;
    for (const std::vector<std::string>& arguments : program.runs) {
      std::vector<std::string> line = arguments;
      if (late) line.push_back("--timeout-ms=" + std::to_string(kLateTimeout.count()));
      const Ran ran = run_under_probes(world, line, fault.mysql_port_answers && !program.takes_out_of_service);
      EXPECT_TRUE(expected.exit_codes.count(ran.exit_code) != 0) << ran.exit_code << ": " << ran.output;
      EXPECT_LE(ran.took, most);
      check_output(ran);
      exit_code = ran.exit_code;
    }
    EXPECT_THAT(server.beats(), ::testing::IsEmpty());
    check_segment(before, server.status(), program, expected, exit_code);
    if (fault.kind != nullptr) {
      EXPECT_LE(world.connections(), connections + 1) << "an attempt leaves one thread behind at most";
    }

    if (fault.kind == nullptr) {
      fault.lift(server);
    } else {
      server.control("clear");
    }
    const ::testing::AssertionResult converged = world.converges();
    EXPECT_TRUE(converged);
    EXPECT_THAT(state_files(server), ::testing::UnorderedElementsAre("state", "state.lock"));
    EXPECT_TRUE(eventually([&] { return descriptors_of(world.daemon().process().pid()) <= daemon_descriptors; }));
    const int own = is_real() ? 2 : 0;  // ProxySQL's own come and go with its peers
    const auto nothing_left = [&] {
      return server.threads() <= threads + own &&
             descriptors_of(server.process().pid()) <= server_descriptors + static_cast<size_t>(own);
    };
    EXPECT_TRUE(!fault.same_server || eventually(nothing_left)) << server.threads() - threads << " threads are left";
    return converged;
  }
};

TEST_P(Matrix, EndsInTimeSaysWhereAndLeavesNothing) {
  const Program& program = *GetParam().program;
  const Fault& fault = *GetParam().fault;
  if (is_real() && !fault.on_a_real_server) GTEST_SKIP() << "needs the double's faults";
  // Only the double has a journal; what befalls the whole server needs none.
  const std::vector<std::string> statements =
      fault.kind == nullptr || !program.talks ? std::vector<std::string>() : World(program).rehearse();
  EXPECT_EQ(fault.kind != nullptr && program.talks, !statements.empty());
  const std::vector<Instant> instants = instants_of(fault, program, statements);
  in_worlds(program, instants.size(), [&](World& world, size_t i) {
    SCOPED_TRACE(fault.kind == nullptr ? "" : control_line(fault, instants[i], statements));
    return run_cell(world, fault, instants[i], statements);
  });
}

INSTANTIATE_TEST_SUITE_P(Each, Matrix, ::testing::ValuesIn(cells()), [](const auto& each) {
  return std::string(each.param.program->name) + "_" + each.param.fault->name;
});

}  // namespace
}  // namespace pulse::test
