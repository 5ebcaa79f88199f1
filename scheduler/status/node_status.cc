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

PortView look_at_port(const Config& config, Deadline deadline) {
  PortView port;
  port.how = "socket table";
  const auto listening = listening_inodes(config.daemon.mysql_interfaces, deadline);
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
  node.port = look_at_port(config, sooner(milliseconds(500), deadline));
  const auto clients = count_established(client_ports(config.daemon), sooner(milliseconds(1000), deadline));
  if (clients) node.clients = static_cast<int64_t>(*clients);
  Memory memory;
  node.now_ns = boottime_ns();
  // How long nobody has seen a beat is reckoned from the segment's creation; the clock may have been set since.
  const int64_t age = std::max<int64_t>(0, clock_ns(CLOCK_REALTIME) - view.created_realtime_ns);
  node.verdict = decide(view, node.port, policy, memory, node.now_ns - age, node.now_ns);
  return node;
}

}  // namespace pulse
