// A cluster of ProxySQLs on loopback addresses of its own: each node has an address, a scheduler row that runs the
// beat, and a probe daemon that discovers pods from tests/kubernetes-double. Times are counted in beats of each node.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "src/base/unique_fd.h"
#include "tests/integration/kubernetes.h"
#include "tests/integration/support.h"

namespace pulse::test {

// 127.x.y.0/24, claimed for this process by a bound socket, so that clusters of parallel tests have addresses and ports
// to themselves.
class Subnet {
 public:
  Subnet();
  std::string address(int host) const { return prefix_ + std::to_string(host); }
  // Another spelling of the same address, which is no address to ProxySQL's and Pulse's eyes but a host name that the
  // resolver knows: "0x7f010203".
  std::string name(int host) const;

 private:
  std::string prefix_;
  UniqueFd claim_;
};

// What a core's configuration file, or a runtime, holds of three modules.
struct Contents {
  std::map<std::string, int> servers;  // "ADDRESS:PORT": weight
  std::map<std::string, int> users;    // name: default host group
  std::map<int, int> rules;            // rule_id: destination host group

  // As Node::rows() shows them at runtime.
  std::set<std::string> rows() const;
};

// An old and a new deployment: in each module one row that stays, one that changes, one that goes and one that comes.
struct Deployments {
  Contents before, after;
  explicit Deployments(const Contents& common);
};

// Puts them into a core's configuration file.
void write_modules(const Contents& contents, Server::Options& options);

// The template of which a core's pod is made, as the double of the Kubernetes API has it: the ReplicaSet of a
// Deployment, or the ControllerRevision of a StatefulSet. "": the pod has no owner that tells a revision.
struct Template {
  enum class Kind { none, replica_set, controller_revision };
  Kind kind = Kind::none;
  std::string name = "";
};

// One ProxySQL with its daemon, and its pod.
class Node {
 public:
  // `daemon`: arguments that say where its daemon listens.
  Node(std::string name, Server::Options options, std::vector<std::string> daemon);

  const std::string& name() const { return name_; }
  const std::string& address() const { return server_.address(); }
  bool is_core() const { return is_core_; }
  Server& server() { return server_; }
  Daemon& daemon() { return *daemon_; }

  // SIGKILL to ProxySQL; the daemon goes on, as it is another container.
  void kill();
  void start();
  // The daemon's container is started anew.
  void restart_daemon();
  // The host is booted anew: both are killed, and with them the state segment goes; then both start.
  void reboot();

  // Of proxysql_servers, the host names.
  std::set<std::string> table();
  std::set<std::string> table_in_memory();
  // Of runtime_mysql_servers, runtime_mysql_users and runtime_mysql_query_rules; with "", of the tables in memory.
  std::set<std::string> rows(const std::string& prefix = "runtime_");
  // Version by name, of runtime_checksums_values.
  std::map<std::string, int64_t> versions();
  // Checksum by name.
  std::map<std::string, std::string> checksums();

  nlohmann::json status() const;
  // Beats that have begun, ever.
  int64_t beats() const;
  // Addresses of the cores that the daemon has published.
  std::set<std::string> discovered_cores() const;

  // Statements that beats have run, as they log them, oldest first, over all starts of ProxySQL.
  std::vector<std::string> acts() const;
  // Grows with each statement that writes and with each pull: by the double's journal or the beats' log, and by the
  // versions of all modules.
  int64_t writes();

 private:
  std::string name_;
  bool is_core_;
  Server server_;
  std::vector<std::string> daemon_arguments_;
  std::unique_ptr<Daemon> daemon_;
  // Of the starts before this one.
  std::string earlier_logs_;
  int64_t earlier_writes_ = 0;

  int64_t writes_of_this_start();
};

// How long a node took for something: from the moment at which its own daemon had published the cores. Beats are those
// that had begun before the last look that found it undone, so that a test which looks late on a busy machine doesn't
// count the ones since.
struct Lag {
  std::string node;
  int64_t beats = 0;       // begun in between
  int64_t beats_ever = 0;  // begun since the node is there
  int64_t ms = 0;
  int64_t discovery_ms = 0;  // before that
};

class Cluster {
 public:
  struct Options {
    int beat_ms = 500;
    std::string pulse = "";            // more lines of the group pulse, of all nodes
    std::string discovery = "";        // more lines of its group discovery
    std::string admin_variables = "";  // more elements, of all nodes
    bool peers_answer = true;          // whether the daemons can be reached by the other nodes, or nobody's
  };
  explicit Cluster(Options options);
  Cluster();

  const Subnet& subnet() const { return subnet_; }
  const KubernetesDouble& api() const { return api_; }
  uint16_t admin_port() const { return admin_port_; }
  // Of all daemons, each at its node's address, if peers answer.
  uint16_t daemon_port() const { return daemon_port_; }
  // One user, app, and one server that answers.
  Contents contents() const;

  // A core with a file of these contents, or a satellite: ProxySQL and daemon run, the pod is there, created
  // `seconds_ago`. The address is one that was never used.
  Node& add_core(const std::string& pod, const Contents& contents, int seconds_ago = 0, const Template& from = {});
  Node& add_satellite(const std::string& pod);
  // The same of a core whose daemon can be reached, and reaches others at daemon_port(), also where peers don't answer.
  Node& add_answering_core(const std::string& pod, const Contents& contents, const Template& from);
  // The same in two steps: the pod is not known yet.
  Node& start_core(const std::string& pod, const Contents& contents);
  Node& start_core(const std::string& pod, const Contents& contents, const std::string& more_pulse, int beat_ms,
                   const std::string& bootstrap);
  void publish(const Node& node, int seconds_ago = 0, const Template& from = {});
  // The template has this revision from now on: it is new, or a rollback has given it the next number.
  void release(const Template& from, int revision);
  // The pod and all of its processes go at once.
  void remove(Node& node);

  std::list<Node>& nodes() { return nodes_; }
  std::vector<Node*> cores();
  std::vector<Node*> satellites();
  std::set<std::string> core_addresses();

  // Whether the node's proxysql_servers, in memory and at runtime, is exactly the cores.
  bool is_right(Node& node);
  bool all_right();
  // Whether all nodes have these rows at runtime.
  bool all_have(const Contents& contents);
  // Waits until all nodes are right, and stay so for some beats; how long each took to begin. Fails the test if they
  // don't get there.
  std::vector<Lag> wait_until_right(const std::string& what);
  // The same until all nodes have these contents.
  std::vector<Lag> wait_until_all_have(const Contents& contents, const std::string& what);
  // Waits until each node has begun so many more beats.
  void pass_beats(int count);
  // Waits until this core's file counts as loaded for good, or isn't the authority: until then it may put back what
  // others load.
  void wait_until_settled(const Node& core);
  // Waits until all are right, have these contents, and nobody has written anything for `beats` beats.
  void settle(const Contents& contents, int beats = 4);

  // All nodes, for a test that failed.
  std::string describe();

 private:
  template <class Condition>
  std::vector<Lag> wait_for_all(const std::string& what, Condition condition);
  Server::Options options_for(const std::string& role);
  std::string bootstrap(const std::string& host) const;
  Node& add_node(const std::string& pod, Server::Options options, bool answers);

  const Options options_;
  Subnet subnet_;
  KubernetesDouble api_;
  const uint16_t admin_port_;
  const uint16_t mysql_port_;
  const uint16_t daemon_port_;
  int next_host_ = 1;
  TempDir dir_;
  std::unique_ptr<Process> backend_;  // of a real ProxySQL's clients
  std::list<Node> nodes_;
};

// Looks at the runtime of all nodes, over and over: has a node that had these contents lost them again? `spared` are
// nodes whose ProxySQL was started anew: they boot with what they had, and only count from the next time on.
class Watcher {
 public:
  Watcher(Cluster& cluster, const Contents& wanted) : cluster_(cluster), wanted_(wanted.rows()) {}
  void look();
  void spare(const Node& node) { had_.erase(node.name()); }
  // For so many beats of each node.
  void look_for(int beats);
  // Names of the nodes that fell back, in order.
  const std::string& relapses() const { return relapses_; }
  size_t looks() const { return looks_; }

 private:
  Cluster& cluster_;
  const std::set<std::string> wanted_;
  std::set<std::string> had_;
  std::string relapses_;
  size_t looks_ = 0;
};

// A client of each satellite's MySQL port, all the time: a statement every few milliseconds over a connection that
// stays, and each tenth one over a new connection.
class Traffic {
 public:
  explicit Traffic(const std::vector<Node*>& nodes);
  ~Traffic() { stop(); }
  void stop();

  int64_t statements() const { return statements_; }
  int64_t failures() const { return failures_; }
  milliseconds longest() const { return milliseconds(longest_ms_); }
  std::string error();

 private:
  void run(const std::string& address, uint16_t port);

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> statements_{0}, failures_{0}, longest_ms_{0};
  std::mutex mutex_;
  std::string error_;
  std::vector<std::thread> threads_;
};

// Prints a figure of a test: how it fared, not whether it passed.
void print_figure(const std::string& text);
// "core-0 1 beat 312 ms, ...": the worst first.
std::string show(std::vector<Lag> lags);
// The most beats among them.
int64_t most_beats(const std::vector<Lag>& lags);

}  // namespace pulse::test
