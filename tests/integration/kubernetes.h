// A Kubernetes API server for tests: tests/kubernetes-double on a free loopback port.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/integration/support.h"

namespace pulse::test {

class KubernetesDouble {
 public:
  // Serves when this returns. `arguments` are more options of the program: tests/kubernetes-double/README.md.
  explicit KubernetesDouble(std::vector<std::string> arguments = {});

  // "https://127.0.0.1:PORT".
  const std::string& url() const { return url_; }
  uint16_t port() const { return port_; }
  // The service account: a directory with ca.crt, token and namespace ("proxysql").
  std::string account() const { return dir_ / "account"; }
  const TempDir& dir() const { return dir_; }
  Process& process() { return *process_; }

  // One line to the control socket, its JSON answer; fails the test on an error.
  nlohmann::json control(const std::string& command) const { return ask_control(dir_ / "control", command); }
  nlohmann::json stats() const { return control("stats"); }

  // Creates or changes a pod: pod("core-0", "ip=10.0.0.1 labels=app:proxysql ready=0").
  void pod(const std::string& name, const std::string& settings = "") const { control("pod " + name + " " + settings); }
  void remove(const std::string& name) const { control("delete " + name); }
  void fault(const std::string& fault) const { control("fault " + fault); }
  void clear() const { control("clear"); }

  // SIGKILL; start() begins anew on the same port, with another authority and without pods.
  void kill();
  void start();

 private:
  const std::vector<std::string> arguments_;
  TempDir dir_;
  uint16_t port_;
  std::string url_;
  std::unique_ptr<Process> process_;
};

}  // namespace pulse::test
