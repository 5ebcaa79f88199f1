// Nodes, time and what holds at each instant. Deterministic from its seed.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/model/agent.h"
#include "tests/model/harm.h"

namespace pulse::model {

struct Options {
  Authority authority = Authority::revision;
  bool has_revisions = true;  // else the Role doesn't allow it, and the time of creation stands for them
  bool is_static = false;     // the source of members: a list, which knows no times
  int beat_ms = 500;
  int check_ms = 200;
  int longest_pull_ms = 2000;
  bool is_slow = false;  // statements and pulls take their time, reports come late
  MendMode mend = MendMode::report;
  double killed = 0.03;  // a beat, between two statements
  double refused = 0.03;
};

// What a start of ProxySQL finds of its database.
enum class Database { kept, stale, emptied, none };

class Cluster : public BeatWorld {
 public:
  Cluster(uint64_t seed, Options options) : random_(seed), options_(options) {}

  std::string add_core(int64_t revision, const ConfigFile& file);
  std::string add_satellite();
  void remove(const std::string& address);
  void restart_proxysql(Host& host, Database database);
  void restart_machine(Host& host, bool segment_kept, Database database);
  void restart_daemon(Host& host, bool list_kept);
  void step_clock(Host& host, int64_t by_s);
  // A statement of a person at the admin interface.
  void person_runs(Host& host, const std::string& statement);
  void person_empties_membership(Host& host, bool loads);
  // A person loads these rows on a satellite alone.
  void person_loads_here(Host& satellite, size_t module, const Rows& rows);
  // A person has written these rows into the file.
  void write_file(Host& host, size_t module, const Rows& rows);
  void discovery_fails(bool fails) { discovery_fails_ = fails; }
  void disturb(bool on) { disturbed_ = on; }  // whether beats are killed, refused and interrupted

  // Advances by that much. False and problem() once something was broken.
  bool run(int64_t ms);
  bool run_until(int64_t end_ms);

  // Why it isn't at rest as it should be, given that nothing has disturbed it since then; "" if it is. What the plans
  // themselves report is no reason.
  std::string unsettled(int64_t calm_since_ms) const;
  // Something was loaded while a clock stood ahead: no load comes through ProxySQL's sync before that time is reached.
  bool has_epochs_ahead() const;
  int64_t writes() const;

  std::map<std::string, Host>& hosts() { return hosts_; }
  std::vector<Host*> cores();
  std::vector<Host*> satellites();
  bool is_down(const Host& host) const { return !host.machine_up || !host.proxysql.up; }
  const std::string& problem() const { return problem_; }
  std::string describe() const;
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }
  bool chance(double probability) { return static_cast<double>(below(1'000'000)) < probability * 1e6; }

  int64_t now_ms() const override { return now_ms_; }
  int64_t now_s(const Host& host) const override { return kEpoch + now_ms_ / 1000 + host.clock_offset_s; }
  bool between(Host& host) override;
  bool refuses(Host& host, const std::string& statement) override;
  void about_to_run(Host& host, const Step& step) override;
  void note(const std::string& what) override;
  void broken(const std::string& what) override;

 private:
  static constexpr int64_t kEpoch = 1'700'000'000;

  Host& add(bool is_core, int64_t revision, const ConfigFile& file);
  void boot(Host& host);
  void prepare_database(Host& host, Database database);
  void words_may_be_lost();
  ProxysqlNode* resolve(const Host& from, const std::string& name);
  void check_peers(Host& host);
  void finish_pull(Host& host);
  void pull_now(Host& host);
  void cross_a_file_load(Host& host);
  void look_at_list(Host& host);
  void ask_peers(Host& host);
  void ask_satellites(Host& host);
  void beat(Host& host);
  void after_beat(Host& host);
  int64_t next_event(const Host& host) const;
  void step(Host& host);

  // The rest is cluster_rules.cc's: what must hold.
  void changed(const ProxysqlNode& node, size_t module, const Rows& before, Cause cause);
  void before_file_load(Host& host, size_t module);
  void before_own_load(Host& host, size_t module);
  bool is_of_a_satellite_alone(const ProxysqlNode& node, size_t module, const Rows& before, Cause cause);
  bool is_reached(const Host& host, const Host& other) const;  // when it asks what has been applied
  bool is_known(const Host& host, size_t module, const Rows& rows) const;
  bool nobody_knows(const Host& host, size_t module) const;
  int64_t rank(const Host& host) const;

  std::mt19937_64 random_;
  const Options options_;
  std::map<std::string, Host> hosts_;
  Harm harm_;
  int64_t now_ms_ = 0;
  int64_t emptied_ms_ = -1'000'000;  // when a person last emptied a proxysql_servers
  int next_number_ = 1;
  bool discovery_fails_ = false;
  bool disturbed_ = false;
  bool clock_has_stepped_ = false;
  std::string problem_;
  std::deque<std::string> trace_;
};

}  // namespace pulse::model
