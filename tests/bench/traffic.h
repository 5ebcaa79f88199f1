// Clients of a ProxySQL at a fixed rate, while something starts beats or the like every now and then.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tests/bench/server.h"
#include "tests/bench/sql_load.h"

namespace pulse::bench {

// What goes on beside the traffic.
enum class Starter {
  nobody,
  scheduler,  // ProxySQL's, which forks ProxySQL: beats
  daemon,     // proxysql-pulsed: beats, and no row in ProxySQL's scheduler
  script,     // ProxySQL's scheduler: bash and the mysql client
  agent       // nobody: proxysql-agent is there, which is resident
};

struct TrafficCase {
  std::string what;
  Starter starter = Starter::nobody;
  std::chrono::milliseconds interval{0};
  bool thp = false;  // MALLOC_CONF=thp:always in ProxySQL's environment
};

// Of a process.
struct ResidentMemory {
  double resident_mb = 0;
  double page_tables_mb = 0;  // VmPTE
  double huge_mb = 0;         // of what is resident, in huge pages

  // What a fork copies of the page tables: the kernel counts, and doesn't copy, a page of 4 KiB that it keeps for each
  // huge page of 2 MiB, for the day on which that is split.
  double copied_mb() const { return page_tables_mb - huge_mb / 512; }
};
ResidentMemory resident_memory(pid_t pid);

inline constexpr std::chrono::milliseconds kDaemonInterval{2000};
inline constexpr const char* kThpAlways = "MALLOC_CONF=thp:always";
inline constexpr int kBackends = 1000;
inline constexpr int kThousandDigests = 100;
inline constexpr size_t kIdleConnections = 500;
inline constexpr size_t kBusyConnections = 8;
inline constexpr double kStatementsPerSecond = 500;
inline constexpr double kAdminStatementsPerSecond = 100;

// A ProxySQL with one backend that answers and 999 more, 100,000 digests, 500 idle clients and 8 that work.
class TrafficProxy {
 public:
  TrafficProxy(const Programs& programs, const std::string& dir, bool thp, uint16_t backend_port,
               const std::string& agent);

  // Waits until it serves, and until a beat has nothing to do.
  Result<void> start();

  // Caches results until so much is resident. It never shrinks again. Fails if the cache doesn't grow.
  Result<void> fill(double resident_mb);

  // The clients that work connect anew: after a round in which a statement got no answer, it would come in the next.
  Result<void> reconnect();

  // Starts what goes on beside the traffic, and ends it.
  Result<void> begin(const TrafficCase& beside);
  Result<void> end();

  // One statement on the admin interface.
  Result<void> admin(const std::string& statement) { return admin_->run(statement); }

  ResidentMemory memory() const { return resident_memory(server_.pid()); }
  const std::vector<SqlClient>& clients() const { return clients_; }
  const std::vector<SqlClient>& admin_clients() const { return admin_clients_; }
  const Server& server() const { return server_; }

 private:
  Result<void> set_row(const std::string& filename, const Argv& arguments, std::chrono::milliseconds interval);

  const Programs& programs_;
  const std::string base_;
  const std::string agent_program_;
  Server server_;
  std::unique_ptr<SqlClient> admin_;
  std::vector<SqlClient> clients_, admin_clients_, idle_;
  size_t cached_ = 0;
  std::unique_ptr<Daemon> daemon_;
  Child agent_;
  bool has_row_ = false;
};

// One round: what the clients of the MySQL port and those of the admin interface met meanwhile.
struct TrafficRound {
  SqlLoad traffic, admin;
};
Result<TrafficRound> traffic_round(TrafficProxy& proxy, const TrafficCase& beside, std::chrono::milliseconds span);

// What a ProxySQL holds after a mixed load: results of all sizes, some of them cached for two seconds, connections that
// come and go.
struct MixedLoad {
  std::string malloc_conf;  // in its environment; "" for none
  ResidentMemory memory;
  double most_huge_mb = 0;  // on the way
  size_t statements = 0;
};

// The same load for `span` on three at once: as it is, with kThpAlways, and with an allocator that gives nothing back
// too.
Result<std::vector<MixedLoad>> mixed_load(const Programs& programs, const std::string& dir, uint16_t backend_port,
                                          std::chrono::milliseconds span);

}  // namespace pulse::bench
