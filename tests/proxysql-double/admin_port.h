// The admin port: its accept loop, which also runs the scheduler, and a thread for each client.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tests/proxysql-double/socket.h"
#include "tests/proxysql-double/wire.h"

namespace proxysql_double {

struct Server;
enum class FaultKind;
enum class Phase;

class AdminPort {
 public:
  explicit AdminPort(Server& server) : server_(server) {}

  // Listens on admin-mysql_ifaces. The first call starts the accept loop.
  pulse::Result<void> start();
  // Closes the listeners and drops all clients; the accept loop idles until the next start().
  void close();

  int64_t connections_now() const { return now_; }
  uint64_t connections_total() const { return total_; }

 private:
  void accept_loop();
  void accept_one(int listener);
  void sample_history();
  void serve(int client);
  void converse(Fd& client, uint32_t connection_id);
  bool login(Fd& client, uint32_t connection_id, std::string& input, std::string* user);
  bool greet(Fd& client, uint32_t connection_id, const std::string& salt);
  std::string check(const Login& login, const std::string& salt, const std::string& peer_host) const;
  bool answer_packet(Fd& client, const Packet& packet, const std::string& user, int* statements);
  bool send_faulty(Fd& client, const std::string& answer, FaultKind kind, bool inside);

  Server& server_;
  std::mutex mutex_;
  std::vector<Fd> listeners_;
  std::set<int> clients_;
  bool loop_started_ = false;
  std::atomic<int64_t> now_{0};
  std::atomic<uint64_t> total_{0};
};

}  // namespace proxysql_double
