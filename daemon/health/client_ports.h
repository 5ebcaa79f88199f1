// The look at all of ProxySQL's interfaces for clients of one protocol, as one verdict.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/health/client_port.h"
#include "src/config/settings.h"

namespace pulse {

// What is known of one interface.
struct InterfaceVerdict {
  std::string name;
  PortVerdict verdict;
  bool served = false;  // it has answered since nobody listened anywhere, as when ProxySQL starts
};

// One verdict of all. They answer if one does, and each one that has served. One that never has is no fault: what the
// file says isn't what ProxySQL has, whose proxysql.db may be older. `before`: the verdict before this one. Pure.
PortVerdict merge_verdicts(const std::vector<InterfaceVerdict>& all, const PortVerdict& before);

// Notes which have served. Pure.
void note_served(std::vector<InterfaceVerdict>& all);

class ClientPorts {
 public:
  ClientPorts(const std::vector<MysqlInterface>& interfaces, ClientPort::Mode mode, Greeter greet);

  // As of ClientPort, for each interface. Nothing is known without any.
  void tick();
  // The latest verdict. Any thread; never waits for a look.
  PortVerdict current() const;

 private:
  std::vector<std::unique_ptr<ClientPort>> looks_;
  std::vector<InterfaceVerdict> all_;  // of the ticking thread
  mutable std::mutex mutex_;
  PortVerdict verdict_;  // under mutex_
};

}  // namespace pulse
