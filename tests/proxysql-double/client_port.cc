#include "tests/proxysql-double/client_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <functional>
#include <regex>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/mysql_session.h"
#include "tests/proxysql-double/pgsql_session.h"

namespace proxysql_double {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kMaintenanceInterval{1000};
constexpr milliseconds kPauseOfFirstThread{20};
constexpr milliseconds kPauseOfFurtherThread{1070};
constexpr milliseconds kPauseStopsAccepting{500};
constexpr milliseconds kLongestPollAtZero{100};  // with mysql-wait_timeout=0
constexpr milliseconds kLookSlice{100};

std::string digest_text(const std::string& text) {
  constexpr size_t kLongest = 1024;
  static const std::regex literals(R"('[^']*'|\b[0-9]+(\.[0-9]+)?\b)");
  return std::regex_replace(text.substr(0, kLongest), literals, "?");
}

std::string digest_of(const std::string& text) {
  char hex[24];
  std::snprintf(hex, sizeof(hex), "0x%016" PRIX64, uint64_t{std::hash<std::string>{}(text)});
  return hex;
}

void wake(const Fd& event) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof(one));
}

void watch(const Fd& epoll, int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll.get(), operation, fd, &event);
}

}  // namespace

bool ClientPort::accepts_nobody() const {
  return is_mysql() && faults_.at(Port::mysql, Phase::accept) == FaultKind::noaccept;
}

pulse::Result<void> ClientPort::open_listeners() {
  std::vector<Fd> listeners;
  for (const Address& address : parse_interfaces(variables_.text(own("interfaces")))) {
    auto listener = listen_on(address);
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  const std::lock_guard lock(mutex_);
  listeners_ = std::move(listeners);
  return {};
}

pulse::Result<void> ClientPort::start() {
  if (auto opened = open_listeners(); !opened) return opened;
  stopping_ = false;
  paused_ = false;
  accepting_ = true;
  const std::lock_guard lock(mutex_);
  const auto threads = static_cast<size_t>(variables_.number(own("threads")));
  for (size_t i = 0; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->epoll = Fd(::epoll_create1(EPOLL_CLOEXEC));
    worker->wake = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watch(worker->epoll, EPOLL_CTL_ADD, worker->wake.get(), EPOLLIN);
    worker->last_maintenance = Clock::now();
    worker->thread = std::thread(&ClientPort::run, this, std::ref(*worker));
    workers_.push_back(std::move(worker));
  }
  return {};
}

void ClientPort::stop() {
  stopping_ = true;
  accepting_ = false;
  std::vector<std::unique_ptr<Worker>> workers;
  {
    const std::lock_guard lock(mutex_);
    workers = std::move(workers_);
    workers_.clear();
  }
  for (const auto& worker : workers) wake(worker->wake);
  for (const auto& worker : workers) worker->thread.join();
  const std::lock_guard lock(mutex_);
  listeners_.clear();
}

// Returns when no worker watches the listeners any more, or all do.
void ClientPort::set_accepting(bool accepting) {
  accepting_ = accepting;
  std::unique_lock lock(mutex_);
  for (const auto& worker : workers_) wake(worker->wake);
  settled_.wait_for(lock, std::chrono::seconds(2), [&] {
    return std::all_of(workers_.begin(), workers_.end(),
                       [&](const auto& worker) { return worker->watches_listeners == accepting; });
  });
}

bool ClientPort::pause() {
  if (paused_) return false;
  size_t threads = 0;
  {
    const std::lock_guard lock(mutex_);
    threads = workers_.size();
  }
  const milliseconds total = kPauseOfFirstThread + kPauseOfFurtherThread * (std::max<size_t>(threads, 1) - 1);
  const milliseconds accepting_for = std::min(total, kPauseStopsAccepting);
  std::this_thread::sleep_for(accepting_for);
  set_accepting(false);
  std::this_thread::sleep_for(total - accepting_for);
  const std::lock_guard lock(mutex_);
  listeners_.clear();
  paused_ = true;
  return true;
}

pulse::Result<void> ClientPort::resume() {
  if (auto opened = open_listeners(); !opened) return opened;
  paused_ = false;
  set_accepting(true);
  return {};
}

void ClientPort::drain(milliseconds limit) {
  set_accepting(false);
  {
    const std::lock_guard lock(mutex_);
    listeners_.clear();
  }
  constexpr milliseconds kStep{10};
  for (milliseconds waited{0}; waited < limit && connected_ > 0; waited += kStep) std::this_thread::sleep_for(kStep);
}

void ClientPort::load_users(const ResultSet& users) {
  const std::lock_guard lock(users_mutex_);
  users_.clear();
  for (const Row& row : users.rows) users_[row[0].value_or("")] = row[1].value_or("");
}

std::optional<std::string> ClientPort::password_of(const std::string& user) const {
  const std::lock_guard lock(users_mutex_);
  const auto found = users_.find(user);
  return found == users_.end() ? std::nullopt : std::optional(found->second);
}

void ClientPort::count_statement(const std::string& user, const std::string& text, std::chrono::microseconds took) {
  ++questions_;
  const std::string digest = digest_text(text);
  const int64_t now = std::time(nullptr);
  const std::lock_guard lock(digests_mutex_);
  Digest& entry = digests_[user + '\0' + digest];
  if (entry.count == 0) entry = {user, digest, 0, now, now, 0, took.count(), 0};
  ++entry.count;
  entry.last_seen = now;
  entry.sum_us += took.count();
  entry.min_us = std::min<int64_t>(entry.min_us, took.count());
  entry.max_us = std::max<int64_t>(entry.max_us, took.count());
}

std::vector<std::pair<std::string, std::string>> ClientPort::status() {
  int64_t transactions = 0;
  size_t threads = 0;
  {
    const std::lock_guard lock(mutex_);
    threads = workers_.size();
    for (const auto& worker : workers_) {
      const std::lock_guard worker_lock(worker->mutex);
      for (const auto& [fd, connection] : worker->connections) {
        if (connection->session->in_transaction()) ++transactions;
      }
    }
  }
  std::vector<std::pair<std::string, std::string>> both = {{"Active_Transactions", std::to_string(transactions)},
                                                           {"Client_Connections_aborted", std::to_string(aborted_)},
                                                           {"Client_Connections_connected", std::to_string(connected_)},
                                                           {"Client_Connections_created", std::to_string(created_)},
                                                           {"Server_Connections_aborted", "0"},
                                                           {"Server_Connections_connected", "0"},
                                                           {"Server_Connections_created", "0"},
                                                           {"Server_Connections_delayed", "0"},
                                                           {"Client_Connections_non_idle", std::to_string(connected_)},
                                                           {"Slow_queries", "0"}};
  if (is_mysql()) {
    both.insert(both.end(), {{"Questions", std::to_string(questions_)},
                             {"Servers_table_version", "1"},
                             {"MySQL_Thread_Workers", std::to_string(threads)},
                             {"Access_Denied_Wrong_Password", "0"},
                             {"MySQL_Monitor_Workers", "0"},
                             {"mysql_listener_paused", paused_ ? "true" : "false"}});
  } else {
    both.insert(both.end(), {{"PgSQL_Thread_Workers", std::to_string(threads)},
                             {"pgsql_listener_paused", paused_ ? "true" : "false"}});
  }
  return both;
}

std::vector<Row> ClientPort::processlist() {
  std::vector<Row> rows;
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < workers_.size(); ++i) {
    const std::lock_guard worker_lock(workers_[i]->mutex);
    for (const auto& [fd, connection] : workers_[i]->connections) {
      const ClientSession& session = *connection->session;
      const bool running = !session.running().empty();
      // Multiplexing: who asks nothing and has no transaction holds no connection to a backend.
      const bool has_backend = running || session.in_transaction();
      const auto of_backend = [&](const char* text) { return has_backend ? Value(text) : Value(); };
      const char* const command = running ? "Query" : session.logged_in() ? "Sleep" : "Connecting client";
      rows.push_back({std::to_string(i), std::to_string(session.id()),
                      session.user().empty() ? "unauthenticated user" : session.user(), "information_schema",
                      connection->peer.host, std::to_string(connection->peer.port), "0", of_backend("127.0.0.1"),
                      of_backend("40000"), of_backend("127.0.0.1"), of_backend("3306"), command,
                      std::to_string(session.quiet_time(now).count()), session.running(), of_backend("0"),
                      std::nullopt});
    }
  }
  return rows;
}

bool ClientPort::kill(uint32_t session) {
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_) {
    const std::lock_guard worker_lock(worker->mutex);
    for (const auto& [fd, connection] : worker->connections) {
      if (connection->session->id() != session) continue;
      log_warning("Closing killed client connection " + connection->peer.host + ":" +
                  std::to_string(connection->peer.port));
      close_connection(*worker, *connection);
      return true;
    }
  }
  return false;
}

std::vector<Row> ClientPort::digests(bool reset) {
  std::vector<Row> rows;
  const std::lock_guard lock(digests_mutex_);
  for (const auto& [key, entry] : digests_) {
    rows.push_back({"0", "information_schema", entry.user, "", digest_of(entry.text), entry.text,
                    std::to_string(entry.count), std::to_string(entry.first_seen), std::to_string(entry.last_seen),
                    std::to_string(entry.sum_us), std::to_string(entry.min_us), std::to_string(entry.max_us), "0",
                    "0"});
  }
  if (reset) digests_.clear();
  return rows;
}

void ClientPort::run(Worker& worker) {
  constexpr int kEvents = 64;
  epoll_event events[kEvents];
  while (!stopping_) {
    watch_listeners(worker);
    const int ready = ::epoll_wait(worker.epoll.get(), events, kEvents, wait_ms(worker));
    const std::lock_guard lock(worker.mutex);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == worker.wake.get()) {
        uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(fd, &count, sizeof(count));
      } else if (const auto found = worker.connections.find(fd); found == worker.connections.end()) {
        accept_from(worker, fd);
      } else if ((events[i].events & ~uint32_t{EPOLLOUT}) != 0) {
        handle_input(worker, *found->second);
      } else {
        flush(worker, *found->second);
      }
    }
    maintain(worker);
  }
  const std::lock_guard lock(worker.mutex);
  while (!worker.connections.empty()) close_connection(worker, *worker.connections.begin()->second);
}

// Until the next thing that is due without a client's doing; mysql-poll_timeout at most.
int ClientPort::wait_ms(Worker& worker) const {
  const auto now = Clock::now();
  milliseconds wait(variables_.number(own("poll_timeout")));
  if (variables_.number(own("wait_timeout")) == 0) wait = std::min(wait, kLongestPollAtZero);
  const std::lock_guard lock(worker.mutex);
  if (accepts_nobody()) wait = std::min(wait, kLookSlice);
  for (const auto& [fd, connection] : worker.connections) {
    if (const auto due = connection->session->due()) {
      const bool silent = *due > now + std::chrono::hours(1);
      const auto left = std::chrono::duration_cast<milliseconds>(*due - now) + milliseconds(1);
      wait = std::min(wait, silent ? kLookSlice : std::max(left, milliseconds(0)));
    }
  }
  return static_cast<int>(wait.count());
}

// Follows the wish to accept or not.
void ClientPort::watch_listeners(Worker& worker) {
  const bool wanted = accepting_ && !accepts_nobody();
  const std::lock_guard lock(mutex_);
  if (worker.watches_listeners == wanted) return;
  for (const Fd& listener : listeners_) {
    watch(worker.epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener.get(),
          wanted ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
  }
  worker.watches_listeners = wanted;
  settled_.notify_all();
}

void ClientPort::accept_from(Worker& worker, int listener) {
  if (!accepting_ || accepts_nobody()) return;
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.open()) return;
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ++connected_;
  const auto id = static_cast<uint32_t>(++created_);
  const Address peer = peer_of(fd.get());
  const int key = fd.get();
  SessionHost& host = *this;
  std::unique_ptr<ClientSession> session;
  if (is_mysql()) {
    session = std::make_unique<MysqlSession>(host, id, peer.host, Clock::now());
  } else {
    session = std::make_unique<PgsqlSession>(host, id, Clock::now());
  }
  auto connection = std::make_unique<Connection>(Connection{std::move(fd), peer, std::move(session), false});
  Connection& added = *connection;
  worker.connections[key] = std::move(connection);
  watch(worker.epoll, EPOLL_CTL_ADD, key, EPOLLIN | EPOLLRDHUP);
  flush(worker, added);
}

void ClientPort::handle_input(Worker& worker, Connection& connection) {
  char buffer[65536];
  const ssize_t got = ::recv(connection.fd.get(), buffer, sizeof(buffer), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (connection.session->logged_in()) ++aborted_;
    close_connection(worker, connection);
    return;
  }
  connection.session->receive({buffer, static_cast<size_t>(got)}, Clock::now());
  flush(worker, connection);
}

bool ClientPort::flush(Worker& worker, Connection& connection) {
  std::string& output = connection.session->output();
  size_t done = 0;
  while (done < output.size()) {
    const ssize_t sent = ::send(connection.fd.get(), output.data() + done, output.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent <= 0) {
      close_connection(worker, connection);
      return false;
    }
    done += static_cast<size_t>(sent);
    connection.session->touch(Clock::now());
  }
  output.erase(0, done);
  if (connection.session->wants_reset()) reset_on_close(connection.fd.get());
  if (connection.session->wants_close() || connection.session->wants_reset()) {
    close_connection(worker, connection);
    return false;
  }
  if (connection.watched_for_output != !output.empty()) {
    connection.watched_for_output = !output.empty();
    const uint32_t more = output.empty() ? 0 : uint32_t{EPOLLOUT};
    watch(worker.epoll, EPOLL_CTL_MOD, connection.fd.get(), EPOLLIN | EPOLLRDHUP | more);
  }
  return true;
}

void ClientPort::close_connection(Worker& worker, Connection& connection) {
  if (!connection.session->logged_in() && !connection.session->wants_close() &&
      variables_.boolean("mysql-log_unhealthy_connections")) {
    log_warning("Closing unhealthy client connection " + connection.peer.host + ":" +
                std::to_string(connection.peer.port));
  }
  --connected_;
  // A child that the scheduler has just forked has it open, too. A reset comes with close() alone.
  if (!connection.session->wants_reset()) ::shutdown(connection.fd.get(), SHUT_RDWR);
  watch(worker.epoll, EPOLL_CTL_DEL, connection.fd.get(), 0);
  worker.connections.erase(connection.fd.get());
}

// What is due by the clock, and once a second the hunt for idle connections.
void ClientPort::maintain(Worker& worker) {
  const auto now = Clock::now();
  std::vector<Connection*> connections;
  for (const auto& [fd, connection] : worker.connections) connections.push_back(connection.get());

  std::erase_if(connections, [&](Connection* connection) {
    if (!connection->session->due()) return false;
    connection->session->advance(now);
    return !flush(worker, *connection);
  });
  if (now - worker.last_maintenance < kMaintenanceInterval) return;
  worker.last_maintenance = now;
  const milliseconds limit(variables_.number(own("wait_timeout")));
  for (Connection* connection : connections) {
    if (!connection->session->idle_for(limit, now)) continue;
    const std::string text = "Killing client connection " + connection->peer.host + ":" +
                             std::to_string(connection->peer.port) + " because inactive for " +
                             std::to_string(connection->session->quiet_time(now).count()) + "ms";
    // What has come in during this turn is served first. ProxySQL doesn't look again, but its turns are far shorter.
    char request = 0;
    if (::recv(connection->fd.get(), &request, 1, MSG_PEEK) > 0) continue;
    close_connection(worker, *connection);
    log_warning(text);
  }
}

}  // namespace proxysql_double
