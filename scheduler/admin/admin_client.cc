#include "scheduler/admin/admin_client.h"

#include <errmsg.h>
#include <mysql.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "scheduler/admin/openssl_start.h"
#include "scheduler/admin/row_collector.h"
#include "src/base/host_port.h"
#include "src/base/unique_fd.h"

namespace pulse {

namespace {

// Waits for what the library asked for. Returns the events as the library wants them, or 0 when the deadline passed.
int wait(MYSQL* mysql, int wanted, Deadline deadline) {
  pollfd socket{static_cast<int>(mysql_get_socket(mysql)), 0, 0};
  if ((wanted & MYSQL_WAIT_READ) != 0) socket.events |= POLLIN;
  if ((wanted & MYSQL_WAIT_WRITE) != 0) socket.events |= POLLOUT;
  if ((wanted & MYSQL_WAIT_EXCEPT) != 0) socket.events |= POLLPRI;
  for (;;) {
    const int ready = ::poll(&socket, 1, deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (deadline.passed() || ready <= 0) return 0;
    int events = 0;
    if ((socket.revents & (POLLIN | POLLHUP | POLLERR)) != 0) events |= MYSQL_WAIT_READ;
    if ((socket.revents & (POLLOUT | POLLERR)) != 0) events |= MYSQL_WAIT_WRITE;
    if ((socket.revents & POLLPRI) != 0) events |= MYSQL_WAIT_EXCEPT;
    return (events & wanted) != 0 ? events & wanted : wanted;
  }
}

// Drives one call of the non-blocking interface to its end. False when the deadline passed first; the connection is
// then good for nothing but closing its socket.
template <class Start, class Continue>
bool drive(MYSQL* mysql, Deadline deadline, Start start, Continue go_on) {
  int wanted = start();
  while (wanted != 0) {
    const int events = wait(mysql, wanted, deadline);
    if (events == 0) return false;
    wanted = go_on(events);
  }
  return true;
}

Error timed_out(const std::string& what) { return Error{what + ": timed out", ETIMEDOUT}; }

void start_libraries() {
  static const bool started = [] {
#ifdef PULSE_STATIC_BEAT
    // Else the library asks NSS for the port of the service "mysql", and NSS would load plug-ins.
    mysql_port = 3306;
#else
    start_openssl();
#endif
    return mysql_library_init(0, nullptr, nullptr) == 0;
  }();
  static_cast<void>(started);
}

// All addresses of `host`, as texts: the library is always given one, for its own lookup would block.
Result<std::vector<std::string>> resolve(const std::string& host) {
  if (is_address(host)) return std::vector<std::string>{host};
  // Hosts file and DNS are built into the C library; any other service of nsswitch.conf would be a plug-in, which a
  // static program must not load.
  __nss_configure_lookup("hosts", "files dns");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failure != 0) return Error{"look up " + host + ": " + ::gai_strerror(failure), CR_UNKNOWN_HOST};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text);
    }
  }
  return addresses;
}

}  // namespace

// Not mysql_close(): that would send and wait. What the library holds goes with the process.
void AdminClient::Closer::operator()(st_mysql* connection) const {
  const UniqueFd socket(static_cast<int>(mysql_get_socket(connection)));
}

std::string AdminClient::reason() const {
  return std::string(mysql_error(handle_.get())) + " (" + std::to_string(mysql_errno(handle_.get())) + ")";
}

// The point comes before the statement, which may be long.
Error AdminClient::error_of(const std::string& statement, const std::string& why, int code) const {
  constexpr size_t kMost = 80;
  const std::string shown = statement.size() > kMost ? statement.substr(0, kMost - 3) + "..." : statement;
  return Error{where_ + ": " + why + ", asked \"" + shown + "\"", code};
}

Result<AdminClient> AdminClient::connect(const AdminTarget& target, Deadline deadline) {
  const bool is_socket = target.host.front() == '/';
  const std::string where = is_socket ? target.host : host_port_text(target.host, target.port);
  const std::string what = std::string("connect to ") + (target.backend ? "the server" : "the admin interface") +
                           " at " + where + " as " + target.user;
  start_libraries();
  auto addresses = is_socket ? Result<std::vector<std::string>>(std::vector<std::string>{""}) : resolve(target.host);
  // The certificate has the name, so the library must, too: it looks it up once more, as bounded as the first time.
  const bool by_name = target.verify && !is_socket && !is_address(target.host);
  if (by_name && addresses) *addresses = {target.host};
  if (!addresses) return Error{what + ": " + addresses.error().text, addresses.error().code};

  Error last{what + ": no address", CR_UNKNOWN_HOST};
  for (const std::string& address : *addresses) {
    MYSQL* mysql = mysql_init(nullptr);
    if (mysql == nullptr) return Error{what + ": out of memory", CR_OUT_OF_MEMORY};
    AdminClient client(Handle(mysql), where);
    // The stack on which the library waits. Its own choice, 256 KiB, is a mapping of its own for each beat; without TLS
    // it needs a few KiB, and for a lookup more than it chooses.
    const size_t stack = by_name ? size_t{512} << 10 : target.tls ? 0 : size_t{64} << 10;
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, &stack);
    const unsigned tcp = MYSQL_PROTOCOL_TCP;  // the library takes the name localhost for a socket
    if (by_name) mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
    const unsigned off = 0;
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    // ProxySQL may announce caching_sha2_password; its admin interface takes the native method from whoever starts
    // with it, and a static client can't load the other.
    mysql_options(mysql, MYSQL_DEFAULT_AUTH, "mysql_native_password");
    // The library looks into it when a server begins with an error of code 65535, before it has set it.
    char* const no_version = ::strdup("");
    mysql->server_version = no_version;
    const my_bool enforce = target.tls ? 1 : 0;
    const my_bool verify = target.verify ? 1 : 0;  // ProxySQL signs its certificate itself
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (target.verify && !target.ca_file.empty()) mysql_options(mysql, MYSQL_OPT_SSL_CA, target.ca_file.c_str());

    MYSQL* connected = nullptr;
    const bool in_time = drive(
        mysql, deadline,
        [&] {
          return mysql_real_connect_start(&connected, mysql, is_socket ? nullptr : address.c_str(), target.user.c_str(),
                                          target.password.c_str(), nullptr, target.port,
                                          is_socket ? target.host.c_str() : nullptr, 0);
        },
        [&](int events) { return mysql_real_connect_cont(&connected, mysql, events); });
    if (!in_time) return timed_out(what);
    if (connected != nullptr) {
      if (mysql->server_version != no_version) std::free(no_version);
      return client;
    }
    last = Error{what + ": " + client.reason(), static_cast<int>(mysql_errno(mysql))};
  }
  return last;
}

uint64_t AdminClient::connection_id() const { return ::mysql_thread_id(handle_.get()); }

Result<AdminResult> AdminClient::query(const std::string& statement, Deadline deadline) {
  AdminResult result;
  RowCollector collector;
  auto affected = read(statement, collector, deadline);
  if (!affected) {
    const Error& error = affected.error();
    return collector.is_full() ? error_of(statement, error.text, error.code) : error;
  }
  constexpr size_t kMostInfo = 512;
  if (const char* const info = mysql_info(handle_.get()); info != nullptr)
    result.info.assign(info, ::strnlen(info, kMostInfo));
  result.affected = *affected;
  result.rows = collector.take_rows();
  return result;
}

Result<uint64_t> AdminClient::read(const std::string& statement, RowSink& sink, Deadline deadline) {
  MYSQL* mysql = handle_.get();
  int failed = 0;
  if (!drive(
          mysql, deadline, [&] { return mysql_real_query_start(&failed, mysql, statement.c_str(), statement.size()); },
          [&](int events) { return mysql_real_query_cont(&failed, mysql, events); })) {
    return error_of(statement, "no answer in time", ETIMEDOUT);
  }
  if (failed != 0) return error_of(statement, reason(), static_cast<int>(mysql_errno(mysql)));

  MYSQL_RES* answer = mysql_use_result(mysql);
  if (answer == nullptr) {
    if (mysql_errno(mysql) != 0) return error_of(statement, reason(), static_cast<int>(mysql_errno(mysql)));
    return uint64_t{mysql_affected_rows(mysql)};
  }
  const unsigned columns = mysql_num_fields(answer);
  std::vector<std::string_view> names(columns);
  for (unsigned i = 0; i < columns; ++i) {
    const MYSQL_FIELD* field = mysql_fetch_field_direct(answer, i);
    names[i] = {field->name, field->name_length};
  }
  if (auto taken = sink.columns(names); !taken) return taken.error();
  std::vector<std::optional<std::string_view>> cells(columns);
  for (;;) {
    MYSQL_ROW row = nullptr;
    // The result is freed on no way out but the good one: freeing it early would read on until the peer's end of it.
    if (!drive(
            mysql, deadline, [&] { return mysql_fetch_row_start(&row, answer); },
            [&](int events) { return mysql_fetch_row_cont(&row, answer, events); })) {
      return error_of(statement, "no answer in time", ETIMEDOUT);
    }
    if (row == nullptr) break;
    const unsigned long* lengths = mysql_fetch_lengths(answer);
    for (unsigned i = 0; i < columns; ++i) {
      cells[i].reset();
      if (row[i] != nullptr) cells[i].emplace(row[i], lengths[i]);
    }
    if (auto taken = sink.row(cells); !taken) return taken.error();
    // A peer that always has the next row ready never makes the library wait.
    if (deadline.passed()) return error_of(statement, "no answer in time", ETIMEDOUT);
  }
  if (mysql_errno(mysql) != 0) return error_of(statement, reason(), static_cast<int>(mysql_errno(mysql)));
  mysql_free_result(answer);
  return uint64_t{0};
}

void AdminClient::close(Deadline deadline) {
  MYSQL* mysql = handle_.release();
  drive(
      mysql, deadline, [&] { return mysql_close_start(mysql); },
      [&](int events) { return mysql_close_cont(mysql, events); });
}

void AdminClient::say_goodbye(Deadline deadline) {
  if (mysql_get_ssl_cipher(handle_.get()) != nullptr) {
    close(deadline);
    return;
  }
  // The packet COM_QUIT. It has no answer, and nothing depends on it: ProxySQL also ends a session whose connection is
  // just closed.
  constexpr char kQuit[] = {1, 0, 0, 0, 1};
  static_cast<void>(
      ::send(static_cast<int>(mysql_get_socket(handle_.get())), kQuit, sizeof kQuit, MSG_DONTWAIT | MSG_NOSIGNAL));
}

std::string sql_quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

}  // namespace pulse
