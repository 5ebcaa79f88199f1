#include "tests/integration/storm_connection.h"

#include <mysql.h>
#include <poll.h>

#include <optional>

#include "tests/integration/pgsql_client.h"

namespace pulse::test {

namespace {

// Connector/C's are per read; a query that takes as long is lost.
constexpr unsigned kPatienceSeconds = 10;

bool has_nothing_to_read(int socket) {
  pollfd waiting{socket, POLLIN | POLLRDHUP, 0};
  return ::poll(&waiting, 1, 0) == 0;
}

class MysqlConnection final : public StormConnection {
 public:
  bool open(uint16_t port) override {
    mysql_.reset(::mysql_init(nullptr));
    const unsigned patience = kPatienceSeconds;
    const my_bool off = 0;
    ::mysql_options(mysql_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &patience);
    ::mysql_options(mysql_.get(), MYSQL_OPT_READ_TIMEOUT, &patience);
    ::mysql_options(mysql_.get(), MYSQL_OPT_SSL_ENFORCE, &off);
    ::mysql_options(mysql_.get(), MYSQL_DEFAULT_AUTH, "mysql_native_password");
    return ::mysql_real_connect(mysql_.get(), "127.0.0.1", "app", "app", nullptr, port, nullptr, 0) != nullptr;
  }
  bool looks_alive() const override { return has_nothing_to_read(static_cast<int>(::mysql_get_socket(mysql_.get()))); }
  bool query(const char* statement) override {
    if (::mysql_query(mysql_.get(), statement) != 0) return false;
    if (MYSQL_RES* const result = ::mysql_store_result(mysql_.get())) {
      ::mysql_free_result(result);
      return true;
    }
    return ::mysql_errno(mysql_.get()) == 0;
  }
  std::string error() const override {
    return std::string(::mysql_error(mysql_.get())) + " (" + std::to_string(::mysql_errno(mysql_.get())) + ")";
  }

 private:
  struct Closer {
    void operator()(MYSQL* mysql) const { ::mysql_close(mysql); }
  };
  std::unique_ptr<MYSQL, Closer> mysql_;
};

class PgsqlConnection final : public StormConnection {
 public:
  bool open(uint16_t port) override {
    client_.emplace(port, "app", "app");
    return client_->is_open();
  }
  bool looks_alive() const override { return client_->is_open() && has_nothing_to_read(client_->descriptor()); }
  bool query(const char* statement) override { return client_->query(statement); }
  std::string error() const override { return client_->error(); }

 private:
  std::optional<PgsqlClient> client_;
};

}  // namespace

std::unique_ptr<StormConnection> make_storm_connection(Protocol protocol) {
  if (protocol == Protocol::pgsql) return std::make_unique<PgsqlConnection>();
  return std::make_unique<MysqlConnection>();
}

}  // namespace pulse::test
