#include "tests/integration/storm.h"

#include <mysql.h>
#include <poll.h>

#include <memory>
#include <random>

namespace pulse::test {

namespace {

// Connector/C's are per read; a query that takes as long is lost.
constexpr unsigned kPatienceSeconds = 10;

struct Closer {
  void operator()(MYSQL* mysql) const { ::mysql_close(mysql); }
};
using Connection = std::unique_ptr<MYSQL, Closer>;

std::string error_of(MYSQL* mysql) {
  return std::string(::mysql_error(mysql)) + " (" + std::to_string(::mysql_errno(mysql)) + ")";
}

// Nothing is to be read from a connection that rests, unless the server has ended it.
bool looks_alive(MYSQL* mysql) {
  pollfd socket{static_cast<int>(::mysql_get_socket(mysql)), POLLIN | POLLRDHUP, 0};
  return ::poll(&socket, 1, 0) == 0;
}

}  // namespace

const char* Storm::name(Kind kind) {
  constexpr const char* kNames[] = {"short", "pooled", "busy", "transactions"};
  return kind < kKinds ? kNames[kind] : "?";
}

// One application: its thread and its connection.
class Storm::Application {
 public:
  Application(Storm& storm, Kind kind, uint32_t seed)
      : storm_(storm), tally_(storm.tallies_[static_cast<size_t>(kind)]), kind_(kind), random_(seed) {}

  void run() {
    rest(0, 200);
    while (!storm_.stopping_) {
      if (kind_ == short_lived) {
        if (connect()) query("SELECT 1");
        connection_.reset();
        rest(10, 40);
      } else if (kind_ == transactions) {
        if (check_out()) transaction();
        rest(200, 3000);
      } else {
        if (check_out()) query("SELECT 1");
        kind_ == pooled ? rest(200, 3000) : rest(5, 50);
      }
    }
  }

 private:
  int between(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  void rest(int least_ms, int most_ms) {
    const Deadline until = Deadline::after(milliseconds(between(least_ms, most_ms)));
    constexpr milliseconds kNap{50};  // so that stop() needn't wait for long
    while (!storm_.stopping_ && !until.passed()) {
      std::this_thread::sleep_for(std::min<nanoseconds>(std::max(until.left(), nanoseconds(0)), kNap));
    }
  }

  bool connect() {
    connection_.reset(::mysql_init(nullptr));
    const unsigned patience = kPatienceSeconds;
    const my_bool off = 0;
    ::mysql_options(connection_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &patience);
    ::mysql_options(connection_.get(), MYSQL_OPT_READ_TIMEOUT, &patience);
    ::mysql_options(connection_.get(), MYSQL_OPT_SSL_ENFORCE, &off);
    ::mysql_options(connection_.get(), MYSQL_DEFAULT_AUTH, "mysql_native_password");
    fresh_ = true;
    if (::mysql_real_connect(connection_.get(), "127.0.0.1", "app", "app", nullptr, storm_.port_, nullptr, 0) ==
        nullptr) {
      return fail("connect");
    }
    ++tally_.connects;
    return true;
  }

  // What a pool does before it gives a connection to somebody.
  bool check_out() {
    if (connection_ && looks_alive(connection_.get())) {
      fresh_ = false;
      return true;
    }
    if (connection_) ++tally_.closed;
    return connect();
  }

  bool query(const char* statement) {
    if (::mysql_query(connection_.get(), statement) != 0) return fail(statement);
    if (MYSQL_RES* const result = ::mysql_store_result(connection_.get())) {
      ::mysql_free_result(result);
    } else if (::mysql_errno(connection_.get()) != 0) {
      return fail(statement);
    }
    ++tally_.statements;
    return true;
  }

  void transaction() {
    if (!query("BEGIN")) return;
    fresh_ = true;  // whatever fails from here on is a transaction lost
    const Deadline until = Deadline::after(milliseconds(between(1000, 3000)));
    while (!until.passed()) {
      if (!query("SELECT 1") || !query("UPDATE t SET a = 1")) return;
      std::this_thread::sleep_for(std::min<nanoseconds>(milliseconds(between(50, 400)), until.left()));
    }
    if (query("COMMIT")) ++tally_.transactions;
  }

  bool fail(const std::string& what) {
    const std::lock_guard<std::mutex> hold(storm_.mutex_);
    storm_.failures_.push_back({kind_, monotonic_ns(), what + ": " + error_of(connection_.get()), !fresh_});
    connection_.reset();
    return false;
  }

  Storm& storm_;
  Tally& tally_;
  const Kind kind_;
  std::mt19937 random_;
  Connection connection_;
  bool fresh_ = true;  // not a kept connection that is used for the first time since it rested
};

Storm::Storm(uint16_t port, const Clients& clients) : port_(port) {
  ::mysql_library_init(0, nullptr, nullptr);  // not safe in threads
  const std::array<int, kKinds> numbers = {clients.short_lived, clients.pooled, clients.busy, clients.transactions};
  for (size_t kind = 0; kind < kKinds; ++kind) {
    for (int i = 0; i < numbers[kind]; ++i) {
      const auto seed = static_cast<uint32_t>(threads_.size() + port);
      threads_.emplace_back([this, kind, seed] { Application(*this, static_cast<Kind>(kind), seed).run(); });
    }
  }
}

void Storm::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

Storm::Counts Storm::counts(Kind kind) const {
  const Tally& tally = tallies_[static_cast<size_t>(kind)];
  return {tally.connects, tally.statements, tally.transactions, tally.closed};
}

std::vector<Storm::Failure> Storm::failures() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return failures_;
}

}  // namespace pulse::test
