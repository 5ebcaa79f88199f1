// ProxySQL as far as the kernel shows it: its process, its ports, its clients.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/drain/drain_target.h"
#include "scheduler/run/process.h"
#include "src/base/clock.h"
#include "src/config/load.h"
#include "src/config/settings.h"

namespace pulse {

struct DrainedPorts {
  std::vector<MysqlInterface> clients;  // of both protocols
  std::string admin_host;               // or the path of a unix socket
  uint16_t admin_port = 0;
};

DrainedPorts drained_ports(const Config& config);

class DrainedProcess final : public DrainedServer {
 public:
  explicit DrainedProcess(DrainedPorts ports) : ports_(std::move(ports)) {}

  // What listens on the admin port and on a port for clients. An admin interface on a unix socket alone leaves the
  // others.
  void find_process(Deadline by) override;
  std::optional<pid_t> process() const override;
  bool terminate() override;

  std::optional<int64_t> count_clients(Deadline by) override;
  std::optional<std::vector<std::string>> admin_hosts(Deadline by) override;
  std::string own_host() const override;
  // By the process, or else by the ports.
  bool has_ended(Deadline by) override;
  bool wait_for_end(Deadline by) override;

 private:
  const DrainedPorts ports_;
  std::optional<ProcessHandle> process_;
};

}  // namespace pulse
