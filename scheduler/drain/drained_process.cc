#include "scheduler/drain/drained_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "scheduler/run/engine_clock.h"
#include "src/base/unique_fd.h"
#include "src/config/client_ports.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

bool is_unix_socket(const std::string& host) { return host.front() == '/'; }

// Whether anybody listens on this unix socket. Never waits: a queue that is full is somebody's.
bool is_served(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

DrainedPorts drained_ports(const Config& config) {
  return {client_ports(config.daemon), config.admin.host, static_cast<uint16_t>(config.admin.port)};
}

void DrainedProcess::find_process(Deadline by) {
  const auto clients = listening_inodes(ports_.clients, by);
  const auto admin = is_unix_socket(ports_.admin_host)
                         ? clients
                         : listening_inodes(ports_.admin_port, by, SocketSource::automatic, ports_.admin_host);
  if (clients && admin) process_ = ProcessHandle::with_sockets(*clients, *admin, by);
}

std::optional<pid_t> DrainedProcess::process() const {
  if (!process_) return std::nullopt;
  return process_->pid();
}

bool DrainedProcess::terminate() { return process_ && process_->signal(SIGTERM); }

std::optional<int64_t> DrainedProcess::count_clients(Deadline by) {
  const auto clients = count_established(ports_.clients, by);
  if (!clients) return std::nullopt;
  return *clients;
}

std::optional<std::vector<std::string>> DrainedProcess::admin_hosts(Deadline by) {
  auto hosts = remote_hosts(ports_.admin_port, by);
  if (!hosts) return std::nullopt;
  return std::move(*hosts);
}

std::string DrainedProcess::own_host() const {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool DrainedProcess::has_ended(Deadline by) {
  if (process_) return process_->wait_gone(Deadline::after(nanoseconds(0)));
  const auto clients = listening_inodes(ports_.clients, by);
  if (!clients || !clients->empty()) return false;
  if (is_unix_socket(ports_.admin_host)) return !is_served(ports_.admin_host);
  const auto admin = read_listen_state(ports_.admin_port, by, SocketSource::automatic, ports_.admin_host);
  return admin && !admin->listening;
}

bool DrainedProcess::wait_for_end(Deadline by) {
  if (process_) return process_->wait_gone(by);
  SystemClock().sleep_until(by.instant());
  return false;
}

}  // namespace pulse
