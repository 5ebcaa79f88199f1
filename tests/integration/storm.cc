#include "tests/integration/storm.h"

#include <mysql.h>

#include <memory>
#include <random>

#include "tests/integration/storm_connection.h"

namespace pulse::test {

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
    connection_ = make_storm_connection(storm_.protocol_);
    fresh_ = true;
    if (!connection_->open(storm_.port_)) return fail("connect");
    ++tally_.connects;
    return true;
  }

  // What a pool does before it gives a connection to somebody.
  bool check_out() {
    if (connection_ && connection_->looks_alive()) {
      fresh_ = false;
      return true;
    }
    if (connection_) ++tally_.closed;
    return connect();
  }

  bool query(const char* statement) {
    if (!connection_->query(statement)) return fail(statement);
    ++tally_.statements;
    return true;
  }

  void transaction() {
    if (!query("BEGIN")) return;
    fresh_ = true;  // whatever fails from here on is a transaction lost
    const Deadline just_begun = Deadline::after(milliseconds(250));
    const Deadline until = Deadline::after(milliseconds(between(1000, 3000)));
    while (!until.passed()) {
      just_begun_ = !just_begun.passed();
      if (!query("SELECT 1") || !query("UPDATE t SET a = 1")) return;
      std::this_thread::sleep_for(std::min<nanoseconds>(milliseconds(between(50, 400)), until.left()));
    }
    just_begun_ = false;
    if (query("COMMIT")) ++tally_.transactions;
  }

  bool fail(const std::string& what) {
    const std::lock_guard<std::mutex> hold(storm_.mutex_);
    storm_.failures_.push_back({kind_, monotonic_ns(), what + ": " + connection_->error(), just_begun_, !fresh_});
    just_begun_ = false;
    connection_.reset();
    return false;
  }

  Storm& storm_;
  Tally& tally_;
  const Kind kind_;
  std::mt19937 random_;
  std::unique_ptr<StormConnection> connection_;
  bool just_begun_ = false;
  bool fresh_ = true;  // not a kept connection that is used for the first time since it rested
};

Storm::Storm(uint16_t port, const Clients& clients, Protocol protocol) : port_(port), protocol_(protocol) {
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
