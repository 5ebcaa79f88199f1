// What is run while something is wrong. One row of programs() is a program of the matrix in matrix_test.cc; the rows
// with a situation that takes several statements are also killed at each of them, in crash_test.cc.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/support.h"

namespace pulse::test {

struct Program {
  const char* name;
  std::vector<std::vector<std::string>> runs;  // of proxysql-pulse, one after the other: their arguments
  // The ProxySQL that it is for.
  Server::Options (*proxysql)();
  // Gives it something to do. Whatever state an earlier run has left behind, it sends the same statements afterwards.
  void (*spoil)(Server& server);
  // What isn't as it should be once beats have had the time to mend it; "" if all is well.
  std::string (*wrong)(Server& server);
  bool talks = true;    // to the admin interface
  bool records = true;  // each run is an attempt in the segment, as beats are
  // A statement that contains this may be refused: there is a way round it.
  const char* way_round = nullptr;
  bool takes_out_of_service = false;  // readiness is 503 in between, on purpose
  bool in_matrix = true;
  bool crashes = false;  // killed at each statement
};

const std::vector<Program>& programs();

// Of the double's journal: its last number, and the statements of proxysql-pulse since one; the tests' own have another
// user.
std::string last_statement(Server& server);
std::vector<std::string> statements_since(Server& server, const std::string& number);

// A program's ProxySQL and the daemon beside it, at rest.
class World {
 public:
  explicit World(const Program& program);

  const Program& program() const { return program_; }
  Server& server() { return server_; }
  Daemon& daemon() { return daemon_; }

  // The statements that the program sends when nothing is wrong, in their order: read from the double's journal.
  std::vector<std::string> rehearse();
  std::vector<std::string> statements_since(const std::string& number) {
    return pulse::test::statements_since(server_, number);
  }
  std::string last_statement() { return pulse::test::last_statement(server_); }
  // Connections to the admin interface: this program's, and those of cluster peers.
  int connections() { return server_.control("stats")["admin_connections_now"]; }

  // Lets beats run until nothing is wrong and one of them has found nothing to do.
  ::testing::AssertionResult converges();

 private:
  const Program& program_;
  Server server_;
  Daemon daemon_;
};

// Calls `run` for each number below `count`, in a few worlds at once: most of the time goes by in waiting. What `run`
// returns says whether its world can be used any further.
void in_worlds(const Program& program, size_t count, const std::function<bool(World& world, size_t index)>& run);

// The double's fault of that kind, on the answer to statement `number` (from 1) of `statements` alone: no other client
// sends the like.
std::string statement_fault(const std::string& phase_and_kind, const std::vector<std::string>& statements,
                            size_t number);

// Of a process: its open descriptors.
size_t descriptors_of(pid_t pid);

}  // namespace pulse::test
