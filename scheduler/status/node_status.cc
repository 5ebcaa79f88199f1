#include "scheduler/status/node_status.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "shm/segment/boot.h"
#include "src/config/client_ports.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

PortView look_at_port(const std::vector<MysqlInterface>& interfaces, Deadline deadline) {
  PortView port;
  port.how = "socket table";
  const auto listening = listening_inodes(interfaces, deadline);
  port.known = static_cast<bool>(listening);
  port.answers = port.ever_answered = port.known && !listening->empty();
  port.looked_at_ns = port.since_ns = boottime_ns();
  if (!port.answers) port.reason = port.known ? "nothing listens there" : listening.error().text;
  return port;
}

}  // namespace

NodeStatus read_node_status(const Options& options, Deadline deadline) {
  OpenedSegment opened = open_segment(options, false);
  NodeStatus node;
  node.config = std::move(opened.config);
  const Config& config = node.config;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const Policy policy = make_policy(config, host);
  StateView& view = node.view;
  if (opened.segment) {
    view = read_state(*opened.segment, machine_boot_id(), policy.backoff(), boottime_ns());
    read_members(*opened.segment, machine_boot_id(), view);
    read_applied(*opened.segment, view);
    read_hostgroups(*opened.segment, machine_boot_id(), view);
    view.lock_problem = lock_file_problem(config.state, opened.segment->user(), config.group);
    read_jobs(*opened.segment, machine_boot_id(), boottime_ns(), view);
  } else if (opened.segment.error().code == ENOENT) {
    view.absent = opened.segment.error().text;
  } else {
    view.problem = opened.segment.error().text;
  }
  const DaemonSettings& daemon = config.daemon;
  const Observation& seen = view.observation;
  const bool is_alone = seen.serves_pgsql != 0 && seen.serves_mysql == 0;
  const bool has_pgsql = policy.file.pgsql_port || seen.pgsql_backends.total() != 0 || is_alone;
  const auto pgsql = has_pgsql ? pgsql_ports(daemon) : std::vector<MysqlInterface>{};
  const Deadline look_by = sooner(milliseconds(500), deadline);
  node.port = look_at_port(daemon.mysql_interfaces, look_by);
  if (!pgsql.empty()) node.pgsql = look_at_port(pgsql, look_by);
  const Deadline count_by = sooner(milliseconds(1000), deadline);
  const auto of_mysql = count_established(daemon.mysql_interfaces, count_by);
  const auto of_pgsql = count_established(pgsql, count_by);
  if (of_mysql && of_pgsql) {
    node.pgsql_clients = *of_pgsql;
    node.clients = int64_t{*of_mysql} + node.pgsql_clients;
  }
  Memory memory;
  node.now_ns = boottime_ns();
  // How long nobody has seen a beat is reckoned from the segment's creation; the clock may have been set since.
  const int64_t age = std::max<int64_t>(0, clock_ns(CLOCK_REALTIME) - view.created_realtime_ns);
  node.verdict = decide(view, node.port, policy, memory, node.now_ns - age, node.now_ns, node.pgsql);
  return node;
}

}  // namespace pulse
