// A connection to ProxySQL's admin interface, every wait of it under one absolute deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "src/base/clock.h"
#include "src/base/result.h"

struct st_mysql;

namespace pulse {

struct AdminTarget {
  std::string host;  // a name, an address, or the path of a unix socket
  uint16_t port = 6032;
  std::string user;
  std::string password;
  bool tls = false;
  bool backend = false;      // it is a database server, not an admin interface
  bool verify = false;       // with TLS: the server's certificate and its name
  std::string ca_file = {};  // of those that may have signed it; "": the system's
};

// Text protocol over MariaDB Connector/C's non-blocking interface. The library's own timeouts are per read and in
// whole seconds: a peer that sends a byte now and then outlives them, so they aren't used.
//
// Errors: code ETIMEDOUT when the deadline passed; otherwise the MySQL error number: 2000 to 2999 is the
// conversation itself (unreachable, lost, garbage), anything else is what ProxySQL answered.
class AdminClient final : public AdminSession {
 public:
  // Resolves, connects and logs in. A name is looked up in the hosts file and by DNS; that alone isn't bound by
  // `deadline` (the resolver can't be) but by the process's hard timer.
  static Result<AdminClient> connect(const AdminTarget& target, Deadline deadline);

  // Runs one statement. A result of more than 24 MiB in memory is an error, so that a peer that never stops
  // sending costs no memory.
  Result<AdminResult> query(const std::string& statement, Deadline deadline) override;

  // The same without a limit and in constant memory: each row is handed on as it comes. Returns how many rows the
  // statement changed, 0 for a result. After an error, the sink's too, the connection is good for nothing but its end.
  Result<uint64_t> read(const std::string& statement, RowSink& sink, Deadline deadline) override;

  uint64_t connection_id() const override;

  // Says goodbye and closes. Without it the destructor closes the socket alone, which never waits.
  void close(Deadline deadline);

  // The same for a process that ends next: frees nothing, and waits only for a TLS connection. No query after it.
  void say_goodbye(Deadline deadline) override;

 private:
  struct Closer {
    void operator()(st_mysql* connection) const;
  };
  using Handle = std::unique_ptr<st_mysql, Closer>;
  explicit AdminClient(Handle handle, std::string where) : handle_(std::move(handle)), where_(std::move(where)) {}

  std::string reason() const;  // the library's last error
  Error error_of(const std::string& statement, const std::string& why, int code) const;

  Handle handle_;
  std::string where_;
};

// How errors, logs and plans quote a text in a statement: 'it''s'.
std::string sql_quote(const std::string& text);

}  // namespace pulse
