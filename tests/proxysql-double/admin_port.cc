#include "tests/proxysql-double/admin_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <thread>

#include "tests/proxysql-double/log.h"
#include "tests/proxysql-double/server.h"
#include "tests/proxysql-double/statement.h"

namespace proxysql_double {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSchedulerTick{500};
constexpr milliseconds kAcceptSlice{50};
constexpr milliseconds kFaultSlice{100};

constexpr uint16_t kAdminStatus = kStatusAutocommit | kStatusNoIndexUsed;

// Blocks until a whole packet is in; false when the client has left.
bool read_packet(int fd, std::string& input, Packet* packet) {
  while (true) {
    if (auto whole = take_packet(input)) {
      *packet = std::move(*whole);
      return true;
    }
    char buffer[16384];
    const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    input.append(buffer, static_cast<size_t>(got));
  }
}

bool is_local(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1" || host == "::ffff:127.0.0.1";
}

// The parts of `text` between the separators; none is empty.
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream pieces(text);
  for (std::string piece; std::getline(pieces, piece, separator);) {
    if (!piece.empty()) parts.push_back(piece);
  }
  return parts;
}

// Of "user:password;user:password". What follows the password's colon, if there is one, counts for nothing; of two
// pairs for one user the last one counts.
std::string password_in(const std::string& credentials, const std::string& user, bool* found) {
  std::string password;
  for (const std::string& pair : split(credentials, ';')) {
    const std::vector<std::string> parts = split(pair, ':');
    if ((parts.empty() ? "" : parts[0]) != user) continue;
    *found = true;
    password = parts.size() < 2 ? "" : parts[1];
  }
  return password;
}

}  // namespace

pulse::Result<void> AdminPort::start() {
  std::vector<Fd> listeners;
  for (const Address& address : parse_interfaces(server_.variables.text("admin-mysql_ifaces"))) {
    auto listener = listen_on(address);
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  const std::lock_guard lock(mutex_);
  listeners_ = std::move(listeners);
  if (!loop_started_) std::thread(&AdminPort::accept_loop, this).detach();
  loop_started_ = true;
  return {};
}

void AdminPort::close() {
  const std::lock_guard lock(mutex_);
  listeners_.clear();
  for (const int client : clients_) ::shutdown(client, SHUT_RDWR);
}

void AdminPort::accept_loop() {
  auto next_tick = Clock::now() + kSchedulerTick;
  auto last_sample = Clock::now();
  while (true) {
    server_.wedge.pass();
    std::vector<pollfd> waits;
    {
      const std::lock_guard lock(mutex_);
      for (const Fd& listener : listeners_) waits.push_back({listener.get(), POLLIN, 0});
    }
    const bool running = !waits.empty();
    const auto accepting = [&] { return server_.faults.at(Port::admin, Phase::accept) != FaultKind::noaccept; };
    if (!accepting()) waits.clear();
    if (::poll(waits.data(), waits.size(), static_cast<int>(kAcceptSlice.count())) > 0) {
      server_.wedge.pass();
      for (const pollfd& wait : waits) {
        if (wait.revents != 0 && accepting()) accept_one(wait.fd);
      }
    }
    if (!running) continue;
    const auto sample_interval = std::chrono::seconds(server_.variables.number("admin-stats_mysql_connections"));
    if (sample_interval.count() > 0 && Clock::now() - last_sample >= sample_interval) {
      sample_history();
      last_sample = Clock::now();
    }
    if (Clock::now() >= next_tick) {
      next_tick = Clock::now() + kSchedulerTick;
      server_.scheduler.run_due();
    }
  }
}

// The accept loop writes this table itself: a client that keeps a writing transaction open stops the loop. A long
// statement doesn't, for ProxySQL has another connection here: then the sample is left out.
void AdminPort::sample_history() {
  for (bool stuck = false;; std::this_thread::sleep_for(kAcceptSlice)) {
    const auto lock = server_.database->try_hold();
    if (!lock.owns_lock() && !stuck) return;
    stuck = !lock.owns_lock() || server_.database->writer_active();
    if (stuck) continue;
    server_.database->run("INSERT OR REPLACE INTO stats_history.mysql_connections VALUES (strftime('%s','now')," +
                          std::to_string(server_.mysql_port.connected()) + ")");
    return;
  }
}

void AdminPort::accept_one(int listener) {
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ++now_;
  ++total_;
  {
    const std::lock_guard lock(mutex_);
    clients_.insert(client);
  }
  std::thread(&AdminPort::serve, this, client).detach();
}

void AdminPort::serve(int fd) {
  Fd client(fd);
  converse(client, static_cast<uint32_t>(total_));
  {
    const std::lock_guard lock(mutex_);
    clients_.erase(fd);
  }
  client.close();
  --now_;
}

void AdminPort::converse(Fd& client, uint32_t connection_id) {
  std::string input;
  std::string user;
  if (!login(client, connection_id, input, &user)) return;
  int statements = 0;
  Packet packet;
  while (read_packet(client.get(), input, &packet)) {
    if (!answer_packet(client, packet, user, &statements)) return;
  }
}

bool AdminPort::greet(Fd& client, uint32_t connection_id, const std::string& salt) {
  std::string plugin = server_.variables.text("mysql-default_authentication_plugin");
  uint8_t sequence = 0;
  const std::string greeting =
      frame(sequence, greeting_payload(server_.variables.text("mysql-server_version"), connection_id, salt, plugin));
  FaultKind fault = server_.faults.at(Port::admin, Phase::accept);
  if (fault == FaultKind::none) fault = server_.faults.at(Port::admin, Phase::greeting);
  return send_faulty(client, greeting, fault, false);
}

bool AdminPort::login(Fd& client, uint32_t connection_id, std::string& input, std::string* user) {
  const std::string salt = new_salt();
  Packet packet;
  if (!greet(client, connection_id, salt) || !read_packet(client.get(), input, &packet)) return false;
  auto login = parse_login(packet.payload);
  if (!login) return false;
  uint8_t sequence = packet.sequence;
  // A client that starts with another method than the greeting's is asked once more, also where both are known.
  const bool native_greeting = server_.variables.text("mysql-default_authentication_plugin") == "mysql_native_password";
  if (!native_greeting || (!login->plugin.empty() && login->plugin != "mysql_native_password")) {
    if (!send_all(client.get(), frame(++sequence, auth_switch_payload(salt)))) return false;
    if (!read_packet(client.get(), input, &packet)) return false;
    login->token = packet.payload;
    sequence = packet.sequence;
  }
  ++sequence;
  const std::string refusal = check(*login, salt, peer_of(client.get()).host);
  const std::string answer = frame(sequence, refusal.empty() ? ok_payload(0, kStatusAutocommit, "") : refusal);
  *user = login->user;
  const bool sent = send_faulty(client, answer, server_.faults.at(Port::admin, Phase::login), false);
  return sent && refusal.empty();
}

// The error packet's payload; empty if the client may come in.
std::string AdminPort::check(const Login& login, const std::string& salt, const std::string& peer_host) const {
  bool found = false;
  std::string password = password_in(server_.variables.text("admin-admin_credentials"), login.user, &found);
  if (!found) password = password_in(server_.variables.text("admin-stats_credentials"), login.user, &found);
  if (!found || !native_password_matches(login.token, salt, password)) {
    const std::string text = "ProxySQL Error: Access denied for user '" + login.user + "'@'" + peer_host +
                             "' (using password: " + (login.token.empty() ? "NO" : "YES") + ")";
    log_error(text);
    return error_payload(1045, "28000", text);
  }
  if (login.user == "admin" && !is_local(peer_host)) {
    return error_payload(1040, "42000", "User 'admin' can only connect locally");
  }
  return "";
}

bool AdminPort::answer_packet(Fd& client, const Packet& packet, const std::string& user, int* statements) {
  if (packet.payload.empty()) return false;
  const auto command = static_cast<uint8_t>(packet.payload[0]);
  const std::string text = packet.payload.substr(1);
  Answer answer;
  switch (command) {
    case kQuery: {
      ++*statements;
      const FaultKind query = server_.faults.at(Port::admin, Phase::query, *statements, text);
      if (query != FaultKind::none && query != FaultKind::slow) {
        server_.journal.add(user, text);
        return send_faulty(client, encode(Answer::single("1", "1"), 1, kAdminStatus), query, false);
      }
      answer = run_statement(server_, {user, peer_of(client.get()).host}, text);
      if (answer.kind == Answer::Kind::connection_lost) return false;
      const FaultKind result = server_.faults.at(Port::admin, Phase::result, *statements, text);
      const bool inside = result != FaultKind::none && answer.kind == Answer::Kind::rows;
      if (!inside && query == FaultKind::none) {
        return encode_in_pieces(answer, 1, kAdminStatus,
                                [&client](std::string_view piece) { return send_all(client.get(), piece); });
      }
      return send_faulty(client, encode(answer, 1, kAdminStatus), inside ? result : query, inside);
    }
    case kQuit:
      return false;
    case kPing:
    case kInitDb:
      break;
    case kSetOption:
      return send_all(client.get(), std::string("\x05\x00\x00\x01\xFE\x00\x00\x02\x02", 9));
    case kFieldList:
    case kPrepare:
    case kExecute:
      answer = Answer::error(1045, "28000", "Command not supported");
      break;
    case kResetConnection:
      answer = Answer::error(1047, "28000",
                             "Received unsupported 'COM_RESET_CONNECTION' for session type 'PROXYSQL_SESSION_ADMIN'");
      break;
    default:
      log_error("RECEIVED AN UNKNOWN COMMAND: " + std::to_string(command) + " -- PLEASE REPORT A BUG");
      return false;
  }
  return send_all(client.get(), encode(answer, 1, kAdminStatus));
}

// False when the conversation is over.
bool AdminPort::send_faulty(Fd& client, const std::string& answer, FaultKind kind, bool inside) {
  if (kind == FaultKind::none) return send_all(client.get(), answer);
  const uint64_t generation = server_.faults.generation();
  const auto over = [&](milliseconds wait) {
    const auto end = Clock::now() + wait;
    while (Clock::now() < end) {
      if (peer_closed_within(client.get(), kFaultSlice)) return true;
      if (server_.faults.generation() != generation) return true;
    }
    return false;
  };
  const Delivery delivery = shape(kind, answer, inside);
  if (!send_all(client.get(), delivery.at_once)) return false;
  for (const char byte : delivery.dripping) {
    if (!send_all(client.get(), std::string_view(&byte, 1)) || over(kSlowByteInterval)) return false;
  }
  switch (delivery.then) {
    case Delivery::Then::go_on:
      return true;
    case Delivery::Then::close:
      return false;
    case Delivery::Then::reset:
      reset_on_close(client.get());
      return false;
    case Delivery::Then::silence:
      while (!over(std::chrono::hours(1))) {
      }
      return false;
    case Delivery::Then::endless:
      for (uint8_t sequence = delivery.next_sequence; server_.faults.generation() == generation;) {
        std::string row;
        append_row(row, sequence, Row(delivery.columns, "endless"));
        if (!send_all(client.get(), row)) break;
      }
      return false;
  }
  return false;
}

}  // namespace proxysql_double
