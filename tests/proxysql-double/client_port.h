// A port for clients, MySQL or PostgreSQL: worker threads that share its listeners, idle connections closed as
// wait_timeout says, PAUSE.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "tests/proxysql-double/client_session.h"
#include "tests/proxysql-double/socket.h"
#include "tests/proxysql-double/variables.h"

namespace proxysql_double {

// Thread-safe.
class ClientPort : private SessionHost {
 public:
  enum class Protocol { mysql, pgsql };
  ClientPort(Protocol protocol, const Variables& variables, const Faults& faults)
      : protocol_(protocol), variables_(variables), faults_(faults) {}
  ~ClientPort() override = default;

  // Listens on the protocol's `interfaces` with `threads` workers.
  pulse::Result<void> start();
  // Drops every client and ends the workers.
  void stop();

  // Takes about a second for each worker but the first. From half a second on nothing is accepted; what waits then is
  // reset at the end, when the listeners close. False if it is paused already.
  bool pause();
  pulse::Result<void> resume();
  bool paused() const { return paused_; }
  // Stops listening and waits until all clients have left, at most `limit`.
  void drain(std::chrono::milliseconds limit);

  // Rows of username and password.
  void load_users(const ResultSet& users);

  int64_t connected() const { return connected_; }
  // Names and values of stats_mysql_global or stats_pgsql_global, but ProxySQL_Uptime.
  std::vector<std::pair<std::string, std::string>> status();
  std::vector<Row> processlist();
  // Closes a client whatever it does; false if there is none.
  bool kill(uint32_t session);
  std::vector<Row> digests(bool reset);

 private:
  struct Connection {
    Fd fd;
    Address peer;
    std::unique_ptr<ClientSession> session;
    bool watched_for_output = false;
  };
  struct Worker {
    Fd epoll;
    Fd wake;
    std::thread thread;
    std::mutex mutex;  // around `connections`, but for the wait for events
    std::map<int, std::unique_ptr<Connection>> connections;
    std::chrono::steady_clock::time_point last_maintenance;
    bool watches_listeners = false;
  };
  struct Digest {
    std::string user;
    std::string text;
    int64_t count = 0;
    int64_t first_seen = 0;
    int64_t last_seen = 0;
    int64_t sum_us = 0;
    int64_t min_us = 0;
    int64_t max_us = 0;
  };

  const Faults& faults() const override { return faults_; }
  std::string variable(const std::string& name) const override { return variables_.text(name); }
  std::optional<std::string> password_of(const std::string& user) const override;
  void count_statement(const std::string& user, const std::string& text, std::chrono::microseconds took) override;

  bool is_mysql() const { return protocol_ == Protocol::mysql; }
  std::string own(const char* variable) const { return (is_mysql() ? "mysql-" : "pgsql-") + std::string(variable); }
  bool accepts_nobody() const;
  pulse::Result<void> open_listeners();
  void set_accepting(bool accepting);
  void run(Worker& worker);
  int wait_ms(Worker& worker) const;
  void watch_listeners(Worker& worker);
  void accept_from(Worker& worker, int listener);
  void handle_input(Worker& worker, Connection& connection);
  // False when the connection is gone.
  bool flush(Worker& worker, Connection& connection);
  void close_connection(Worker& worker, Connection& connection);
  void maintain(Worker& worker);

  const Protocol protocol_;
  const Variables& variables_;
  const Faults& faults_;
  std::mutex mutex_;  // listeners and workers
  std::condition_variable settled_;
  std::vector<Fd> listeners_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> accepting_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> stopping_{false};

  std::atomic<int64_t> connected_{0};
  std::atomic<int64_t> created_{0};
  std::atomic<int64_t> aborted_{0};
  std::atomic<int64_t> questions_{0};
  mutable std::mutex users_mutex_;
  std::map<std::string, std::string> users_;
  std::mutex digests_mutex_;
  std::map<std::string, Digest> digests_;
};

}  // namespace proxysql_double
