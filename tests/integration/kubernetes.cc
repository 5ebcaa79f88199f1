#include "tests/integration/kubernetes.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace pulse::test {

KubernetesDouble::KubernetesDouble(std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), port_(free_port()), url_("https://127.0.0.1:" + std::to_string(port_)) {
  start();
}

void KubernetesDouble::start() {
  const std::string port_file = dir_ / "port";
  std::filesystem::remove(port_file);
  std::vector<std::string> argv = {
      binary("kubernetes-double"), "--account",   account(), "--control",        dir_ / "control", "--port",
      std::to_string(port_),       "--port-file", port_file, "--die-with-parent"};
  argv.insert(argv.end(), arguments_.begin(), arguments_.end());
  process_ = std::make_unique<Process>(argv, dir_, Process::Options{{}, "kubernetes", {}});
  // The file is the last thing it makes.
  const bool up = eventually([&] { return !process_->running() || std::filesystem::exists(port_file); });
  ASSERT_TRUE(up && process_->running()) << process_->output();
}

void KubernetesDouble::kill() {
  process_->signal(SIGKILL);
  ASSERT_TRUE(process_->wait());
}

}  // namespace pulse::test
