#include "tests/integration/cluster.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "scheduler/admin/admin_client.h"

namespace pulse::test {

namespace {

constexpr milliseconds kPoll{20};
// A cluster on a busy machine, sanitizers included.
constexpr seconds kClusterPatience{60};
// What is as it should be must stay so for that long.
constexpr int64_t kHeldBeats = 3;
constexpr int kBackendHost = 250;
constexpr int kClaimHost = 254;
constexpr uint16_t kClaimPort = 6031;

int64_t ms_since(int64_t began_ns) { return (monotonic_ns() - began_ns) / 1'000'000; }

std::string rfc3339_of(int64_t epoch_s) {
  const time_t time = epoch_s;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char shown[32] = {};
  std::strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return shown;
}

std::string join(const std::set<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

}  // namespace

Subnet::Subnet() {
  // A client's address on loopback is 127.0.0.1, so that none is taken by chance.
  const auto start = static_cast<unsigned>(::getpid());
  for (unsigned i = 0; i < 60'000 && !claim_; ++i) {
    const unsigned number = (start + i) % 60'000;
    prefix_ = "127." + std::to_string(1 + number / 250) + "." + std::to_string(1 + number % 250) + ".";
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback_address(kClaimPort, this->address(kClaimHost).c_str());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) claim_ = std::move(fd);
  }
  EXPECT_TRUE(claim_) << "no subnet of 127.0.0.0/8 is free";
}

std::string Subnet::name(int host) const {
  in_addr address{};
  ::inet_pton(AF_INET, this->address(host).c_str(), &address);
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", ntohl(address.s_addr));
  return text;
}

std::set<std::string> Contents::rows() const {
  std::set<std::string> rows;
  for (const auto& [server, weight] : servers) rows.insert("server " + server + " " + std::to_string(weight));
  for (const auto& [user, hostgroup] : users) rows.insert("user " + user + " " + std::to_string(hostgroup));
  for (const auto& [rule, hostgroup] : rules) {
    rows.insert("rule " + std::to_string(rule) + " " + std::to_string(hostgroup));
  }
  return rows;
}

void write_modules(const Contents& contents, Server::Options& options) {
  options.mysql_servers = options.mysql_users = options.query_rules = "";
  for (const auto& [server, weight] : contents.servers) {
    const size_t colon = server.find(':');
    options.mysql_servers += "{ address=\"" + server.substr(0, colon) + "\", port=" + server.substr(colon + 1) +
                             ", hostgroup=0, weight=" + std::to_string(weight) + " },";
  }
  for (const auto& [user, hostgroup] : contents.users) {
    options.mysql_users +=
        "{ username=\"" + user + "\", password=\"app\", default_hostgroup=" + std::to_string(hostgroup) + " },";
  }
  for (const auto& [rule, hostgroup] : contents.rules) {
    options.query_rules += "{ rule_id=" + std::to_string(rule) + ", active=1, match_pattern=\"^SELECT " +
                           std::to_string(100'000 + rule) + "$\", destination_hostgroup=" + std::to_string(hostgroup) +
                           ", apply=1 },";
  }
}

Deployments::Deployments(const Contents& common) : before(common), after(common) {
  before.servers["192.0.2.1:3306"] = 1;
  after.servers["192.0.2.1:3306"] = 2;
  before.servers["192.0.2.2:3306"] = 1;
  after.servers["192.0.2.3:3306"] = 1;
  before.users["changed"] = 1;
  after.users["changed"] = 2;
  before.users["removed"] = 1;
  after.users["added"] = 1;
  before.rules = {{1, 1}, {2, 1}, {3, 1}};
  after.rules = {{1, 1}, {2, 2}, {4, 1}};
}

Node::Node(std::string name, Server::Options options, std::vector<std::string> daemon)
    : name_(std::move(name)),
      is_core_(options.role == "core"),
      server_(std::move(options)),
      daemon_arguments_(std::move(daemon)),
      daemon_(std::make_unique<Daemon>(server_, daemon_arguments_)) {}

void Node::kill() {
  earlier_writes_ += writes_of_this_start();
  server_.kill();
  earlier_logs_ += server_.log();
}

void Node::start() { server_.start(); }

void Node::restart_daemon() {
  daemon_.reset();
  daemon_ = std::make_unique<Daemon>(server_, daemon_arguments_);
}

void Node::reboot() {
  kill();
  daemon_.reset();
  std::filesystem::remove(server_.state());
  start();
  daemon_ = std::make_unique<Daemon>(server_, daemon_arguments_);
}

std::set<std::string> Node::table() {
  // Beside a beat's look it may be empty for a moment, or half full.
  std::set<std::string> hosts, before;
  for (int i = 0; i < 5 && (i < 2 || hosts != before); ++i) {
    before = std::move(hosts);
    hosts.clear();
    for (const auto& row : server_.query("SELECT hostname FROM runtime_proxysql_servers")) hosts.insert(row[0]);
  }
  return hosts;
}

std::set<std::string> Node::table_in_memory() {
  std::set<std::string> hosts;
  for (const auto& row : server_.query("SELECT hostname FROM proxysql_servers")) hosts.insert(row[0]);
  return hosts;
}

std::set<std::string> Node::rows(const std::string& prefix) {
  std::set<std::string> rows;
  for (const auto& row :
       server_.query("SELECT 'server ' || hostname || ':' || port || ' ' || weight FROM " + prefix +
                     "mysql_servers UNION SELECT 'user ' || username || ' ' || default_hostgroup FROM " + prefix +
                     "mysql_users UNION SELECT 'rule ' || rule_id || ' ' || "
                     "destination_hostgroup FROM " +
                     prefix + "mysql_query_rules")) {
    rows.insert(row[0]);
  }
  return rows;
}

std::map<std::string, int64_t> Node::versions() {
  std::map<std::string, int64_t> versions;
  for (const auto& row : server_.query("SELECT name, version FROM runtime_checksums_values")) {
    versions[row[0]] = std::atoll(row[1].c_str());
  }
  return versions;
}

std::map<std::string, std::string> Node::checksums() {
  std::map<std::string, std::string> checksums;
  for (const auto& row : server_.query("SELECT name, checksum FROM runtime_checksums_values")) {
    checksums[row[0]] = row[1];
  }
  return checksums;
}

nlohmann::json Node::status() const {
  const nlohmann::json body = daemon_->get("/status").body;
  return body.is_object() ? body : nlohmann::json::object();
}

int64_t Node::beats() const {
  const nlohmann::json body = status();
  return body.contains("counters") ? body["counters"]["started"].get<int64_t>() : 0;
}

std::set<std::string> Node::discovered_cores() const {
  std::set<std::string> cores;
  const nlohmann::json body = status();
  if (!body.contains("members")) return cores;
  for (const auto& member : body["members"]) {
    if (member["role"] == "core") cores.insert(member["address"]);
  }
  return cores;
}

std::vector<std::string> Node::acts() const {
  std::vector<std::string> acts;
  const std::string log = earlier_logs_ + server_.log();
  const std::string mark = " proxysql-pulse [info] ";
  for (size_t at = log.find(mark); at != std::string::npos; at = log.find(mark, at)) {
    at += mark.size();
    const std::string line = log.substr(at, log.find('\n', at) - at);
    for (const char* verb : {"LOAD ", "SAVE ", "INSERT ", "DELETE "}) {
      if (line.rfind(verb, 0) == 0) acts.push_back(line);
    }
  }
  return acts;
}

int64_t Node::writes_of_this_start() {
  int64_t writes = is_real() ? 0 : server_.control("stats")["writes_total"].get<int64_t>();
  for (const auto& [name, version] : versions()) writes += version;
  return writes;
}

int64_t Node::writes() {
  return earlier_writes_ + writes_of_this_start() + (is_real() ? static_cast<int64_t>(acts().size()) : 0);
}

Cluster::Cluster() : Cluster(Options{}) {}

Cluster::Cluster(Options options)
    : options_(std::move(options)), admin_port_(free_port()), mysql_port_(free_port()), daemon_port_(free_port()) {
  if (!is_real()) return;
  // The double answers as a backend does.
  const std::string address = subnet_.address(kBackendHost);
  const std::string file = dir_.write(
      "backend.cnf", "admin_variables={ mysql_ifaces=\"" + address + ":" + std::to_string(admin_port_) +
                         "\" }\nmysql_variables={ interfaces=\"" + address + ":" + std::to_string(mysql_port_) +
                         "\" }\nmysql_users=( { username=\"app\", password=\"app\" } )\n");
  backend_ = std::make_unique<Process>(
      std::vector<std::string>{binary("proxysql-double"), "-f", "-c", file, "-D", dir_.path()}, dir_,
      Process::Options{{}, "backend", {}});
  EXPECT_TRUE(eventually([&] { return bool(connect_loopback(mysql_port_, 5, address.c_str())); }))
      << backend_->output();
}

Contents Cluster::contents() const {
  return {{{subnet_.address(kBackendHost) + ":" + std::to_string(mysql_port_), 1}}, {{"app", 0}}, {}};
}

std::string Cluster::bootstrap(const std::string& host) const {
  return "{ hostname=\"" + host + "\", port=" + std::to_string(admin_port_) + " },";
}

Server::Options Cluster::options_for(const std::string& role) {
  Server::Options options;
  options.role = role;
  options.address = subnet_.address(next_host_++);
  options.admin_port = admin_port_;
  options.mysql_port = mysql_port_;
  options.beat_interval_ms = options_.beat_ms;
  options.admin_variables = options_.admin_variables;
  options.mysql_servers = options.mysql_users = options.query_rules = "";
  // As a headless service's name does, it leads to a core; also from that core itself.
  options.bootstrap = bootstrap(subnet_.name(1));
  // On a machine that does other things too, a beat may take longer than its interval; that is no hang.
  options.pulse = "timeout_ms=2000, " + options_.pulse + " discovery={ source=\"kubernetes\", " + options_.discovery +
                  " kubernetes={ api=\"" + api_.url() + "\", service_account=\"" + api_.account() + "\" } },";
  return options;
}

Node& Cluster::start_core(const std::string& pod, const Contents& contents) {
  return start_core(pod, contents, "", options_.beat_ms, subnet_.name(1));
}

Node& Cluster::start_core(const std::string& pod, const Contents& contents, const std::string& more_pulse, int beat_ms,
                          const std::string& bootstrap_host) {
  Server::Options options = options_for("core");
  write_modules(contents, options);
  options.pulse += more_pulse;
  options.beat_interval_ms = beat_ms;
  options.bootstrap = bootstrap(bootstrap_host);
  return add_node(pod, std::move(options), options_.peers_answer);
}

Node& Cluster::add_node(const std::string& pod, Server::Options options, bool answers) {
  std::vector<std::string> daemon = {"--listen=127.0.0.1"};
  if (answers) daemon = {"--listen=" + options.address, "--port=" + std::to_string(daemon_port_)};
  return nodes_.emplace_back(pod, std::move(options), std::move(daemon));
}

Node& Cluster::add_core(const std::string& pod, const Contents& contents, int seconds_ago, const Template& from) {
  Node& node = start_core(pod, contents);
  publish(node, seconds_ago, from);
  return node;
}

Node& Cluster::add_answering_core(const std::string& pod, const Contents& contents, const Template& from) {
  Server::Options options = options_for("core");
  write_modules(contents, options);
  Node& node = add_node(pod, std::move(options), true);
  publish(node, 0, from);
  return node;
}

void Cluster::release(const Template& from, int revision) {
  const bool replica_set = from.kind == Template::Kind::replica_set;
  api_.control(std::string(replica_set ? "replicaset " : "controllerrevision ") + from.name +
               " revision=" + std::to_string(revision) + " workload=core");
}

Node& Cluster::add_satellite(const std::string& pod) {
  Node& node = add_node(pod, options_for("satellite"), options_.peers_answer);
  publish(node);
  return node;
}

void Cluster::publish(const Node& node, int seconds_ago, const Template& from) {
  std::string owner, label;
  if (from.kind == Template::Kind::replica_set) owner = " owner=ReplicaSet/" + from.name;
  if (from.kind == Template::Kind::controller_revision) {
    owner = " owner=StatefulSet/core";
    label = ",controller-revision-hash:" + from.name;
  }
  api_.pod(node.name(), "ip=" + node.address() + " created=" + rfc3339_of(::time(nullptr) - seconds_ago) + owner +
                            " labels=app:proxysql,component:" + (node.is_core() ? "core" : "satellite") + label);
}

void Cluster::remove(Node& node) {
  api_.remove(node.name());
  nodes_.remove_if([&](const Node& each) { return &each == &node; });
}

std::vector<Node*> Cluster::cores() {
  std::vector<Node*> found;
  for (Node& node : nodes_) {
    if (node.is_core()) found.push_back(&node);
  }
  return found;
}

std::vector<Node*> Cluster::satellites() {
  std::vector<Node*> found;
  for (Node& node : nodes_) {
    if (!node.is_core()) found.push_back(&node);
  }
  return found;
}

std::set<std::string> Cluster::core_addresses() {
  std::set<std::string> addresses;
  for (const Node* core : cores()) addresses.insert(core->address());
  return addresses;
}

bool Cluster::is_right(Node& node) {
  const std::set<std::string> expected = core_addresses();
  return node.table() == expected && node.table_in_memory() == expected;
}

bool Cluster::all_right() {
  return std::all_of(nodes_.begin(), nodes_.end(), [&](Node& node) { return is_right(node); });
}

bool Cluster::all_have(const Contents& contents) {
  const std::set<std::string> expected = contents.rows();
  return std::all_of(nodes_.begin(), nodes_.end(), [&](Node& node) { return node.rows() == expected; });
}

template <class Condition>
std::vector<Lag> Cluster::wait_for_all(const std::string& what, Condition condition) {
  struct Wait {
    Node* node;
    int64_t known_ns = 0;  // when its daemon had the list
    int64_t known_beats = 0;
    int64_t undone_beats = 0;
    int64_t held_until = 0;
    std::optional<Lag> lag = std::nullopt;  // of the present row of good looks
  };
  std::vector<Wait> waits;
  for (Node& node : nodes_) waits.push_back({&node});
  const std::set<std::string> expected = core_addresses();
  const int64_t began_ns = monotonic_ns();
  const Deadline deadline = Deadline::after(kClusterPatience);
  bool all = false;
  while (!all && !deadline.passed()) {
    all = true;
    for (Wait& wait : waits) {
      Node& node = *wait.node;
      const int64_t beats = node.beats();
      if (wait.known_ns == 0) {
        wait.known_beats = wait.undone_beats = beats;
        if (node.discovered_cores() == expected) wait.known_ns = monotonic_ns();
      }
      if (wait.known_ns == 0 || !condition(node)) {
        wait.undone_beats = beats;
        wait.lag.reset();
        all = false;
        continue;
      }
      if (!wait.lag) {
        wait.held_until = node.beats() + kHeldBeats;
        wait.lag = Lag{node.name(), wait.undone_beats - wait.known_beats, wait.undone_beats, ms_since(wait.known_ns),
                       (wait.known_ns - began_ns) / 1'000'000};
      }
      all = all && beats >= wait.held_until;
    }
    std::this_thread::sleep_for(kPoll);
  }
  EXPECT_TRUE(all) << what << describe();
  std::vector<Lag> lags;
  for (const Wait& wait : waits) lags.push_back(wait.lag.value_or(Lag{wait.node->name(), 1'000'000}));
  return lags;
}

std::vector<Lag> Cluster::wait_until_right(const std::string& what) {
  return wait_for_all(what, [&](Node& node) { return is_right(node); });
}

std::vector<Lag> Cluster::wait_until_all_have(const Contents& contents, const std::string& what) {
  const std::set<std::string> expected = contents.rows();
  return wait_for_all(what, [&](Node& node) { return node.rows() == expected; });
}

void Cluster::pass_beats(int count) {
  std::map<Node*, int64_t> goals;
  for (Node& node : nodes_) goals[&node] = node.beats() + count;
  EXPECT_TRUE(eventually(
      [&] {
        std::this_thread::sleep_for(kPoll);
        return std::all_of(goals.begin(), goals.end(),
                           [](const auto& goal) { return goal.first->beats() >= goal.second; });
      },
      kClusterPatience + milliseconds(options_.beat_ms) * count))
      << describe();
}

void Cluster::wait_until_settled(const Node& core) {
  EXPECT_TRUE(eventually([&] {
    const nlohmann::json status = core.status();
    const nlohmann::json& authority = status["authority"];
    if (authority["standing"] == "aside") return true;
    if (authority["standing"] == "undecided" || authority["waiting"] == true) return false;
    const nlohmann::json& loaded = authority["loaded"];
    return std::all_of(loaded.begin(), loaded.end(),
                       [](const nlohmann::json& stamp) { return stamp["settled"] == true; });
  })) << describe();
}

void Cluster::settle(const Contents& contents, int beats) {
  wait_until_right("before the test");
  wait_until_all_have(contents, "before the test");
  const Deadline deadline = Deadline::after(kClusterPatience);
  for (;;) {
    std::vector<int64_t> before, after;
    for (Node& node : nodes_) before.push_back(node.writes());
    pass_beats(beats);
    for (Node& node : nodes_) after.push_back(node.writes());
    if (before == after && all_right() && all_have(contents)) return;
    ASSERT_FALSE(deadline.passed()) << "no rest" << describe();
  }
}

std::string Cluster::describe() {
  std::string text = "\ncores: " + join(core_addresses());
  for (Node& node : nodes_) {
    if (const auto ended = node.server().process().wait(milliseconds(0))) {
      text +=
          "\n" + node.name() + " has ended with " + std::to_string(*ended) + ": " + node.server().process().output();
      continue;
    }
    text += "\n" + node.name() + " " + node.address() + "\n  runtime " + join(node.table()) + "\n  memory " +
            join(node.table_in_memory()) + "\n  rows " + join(node.rows()) + "\n  discovered " +
            join(node.discovered_cores()) + "\n";
    for (const auto& row : node.server().query("SELECT name, version, epoch, checksum FROM runtime_checksums_values")) {
      text += "  " + row[0] + " v" + row[1] + " e" + row[2] + " " + row[3] + "\n";
    }
    const nlohmann::json status = node.status();
    for (const char* key : {"state", "last_error", "authority", "core_files", "discovery"}) {
      if (status.contains(key)) text += std::string("  ") + key + " " + status[key].dump() + "\n";
    }
    for (const std::string& act : node.acts()) text += "  beat: " + act + "\n";
  }
  return text;
}

void Watcher::look() {
  ++looks_;
  for (Node& node : cluster_.nodes()) {
    const bool has = node.rows() == wanted_;
    if (!has && had_.count(node.name()) != 0) relapses_ += " " + node.name();
    if (has) had_.insert(node.name());
  }
}

void Watcher::look_for(int beats) {
  std::map<std::string, int64_t> goals;
  for (Node& node : cluster_.nodes()) goals[node.name()] = node.beats() + beats;
  const Deadline deadline = Deadline::after(kClusterPatience);
  const auto passed = [&] {
    for (Node& node : cluster_.nodes()) {
      if (node.beats() < goals[node.name()]) return false;
    }
    return true;
  };
  while (!passed() && !deadline.passed()) {
    look();
    std::this_thread::sleep_for(kPoll);
  }
  EXPECT_FALSE(deadline.passed()) << cluster_.describe();
}

Traffic::Traffic(const std::vector<Node*>& nodes) {
  for (Node* node : nodes) {
    threads_.emplace_back(&Traffic::run, this, node->address(), node->server().mysql_port());
  }
}

void Traffic::stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::string Traffic::error() {
  const std::lock_guard lock(mutex_);
  return error_;
}

void Traffic::run(const std::string& address, uint16_t port) {
  const auto connect = [&] {
    return AdminClient::connect({address, port, "app", "app", false}, Deadline::after(kPatience));
  };
  const auto fail = [&](const Error& error) {
    ++failures_;
    const std::lock_guard lock(mutex_);
    if (error_.empty()) error_ = error.text;
  };
  std::optional<AdminClient> kept;
  for (int i = 0; !stop_; ++i) {
    const int64_t began_ns = monotonic_ns();
    if (i % 10 == 0 || !kept) {
      auto fresh = connect();
      if (fresh) {
        auto done = fresh->query("SELECT 1", Deadline::after(kPatience));
        if (!done) fail(done.error());
        if (!kept) kept.emplace(std::move(*fresh));
      } else {
        fail(fresh.error());
      }
    } else if (auto done = kept->query("SELECT 1", Deadline::after(kPatience)); !done) {
      fail(done.error());
      kept.reset();
    }
    ++statements_;
    const int64_t took = ms_since(began_ns);
    for (int64_t longest = longest_ms_; took > longest && !longest_ms_.compare_exchange_weak(longest, took);) {
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

void print_figure(const std::string& text) { std::printf("[ FIGURE   ] %s\n", text.c_str()); }

std::string show(std::vector<Lag> lags) {
  std::sort(lags.begin(), lags.end(), [](const Lag& a, const Lag& b) { return a.ms > b.ms; });
  std::string text;
  for (const Lag& lag : lags) {
    text += (text.empty() ? "" : ", ") + lag.node + " " + std::to_string(lag.beats) + " beats " +
            std::to_string(lag.ms) + " ms (discovery " + std::to_string(lag.discovery_ms) + " ms; beats ever " +
            std::to_string(lag.beats_ever) + ")";
  }
  return text;
}

int64_t most_beats(const std::vector<Lag>& lags) {
  int64_t most = 0;
  for (const Lag& lag : lags) most = std::max(most, lag.beats);
  return most;
}

}  // namespace pulse::test
