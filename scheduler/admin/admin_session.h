// What a beat needs of a connection to ProxySQL's admin interface: AdminClient in the program, scripted answers in
// tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/clock.h"
#include "src/base/result.h"

namespace pulse {

struct AdminResult {
  std::vector<std::vector<std::string>> rows;  // NULL is ""
  uint64_t affected = 0;
  std::string info = {};  // the text of an OK, 512 bytes of it at most
};

// Takes a result as it comes. What it is given lasts until it returns; its error ends the reading.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before the rows.
  virtual Result<void> columns(const std::vector<std::string_view>& names) = 0;
  virtual Result<void> row(const std::vector<std::optional<std::string_view>>& cells) = 0;  // nothing is NULL
};

class AdminSession {
 public:
  AdminSession() = default;
  AdminSession(AdminSession&&) = default;
  AdminSession& operator=(AdminSession&&) = default;
  virtual ~AdminSession() = default;

  // Runs one statement. Errors as AdminClient's.
  virtual Result<AdminResult> query(const std::string& statement, Deadline deadline) = 0;

  // The same without a limit, as AdminClient's.
  virtual Result<uint64_t> read(const std::string& statement, RowSink& sink, Deadline deadline) = 0;

  // The number that the server gave this connection.
  virtual uint64_t connection_id() const = 0;

  // Ends the connection of a process that ends next. No query after it.
  virtual void say_goodbye(Deadline deadline) = 0;
};

}  // namespace pulse
