#include "tests/bench/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "src/base/unique_fd.h"
#include "tests/loopback.h"

namespace pulse::bench {

namespace {

constexpr milliseconds kPatience{20'000};

// Sends a text and reads until the peer closes, or until a line is complete.
std::string ask(const UniqueFd& fd, const std::string& text, bool one_line) {
  std::string answer;
  if (!fd || ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) return "";
  char buffer[16384];
  for (ssize_t got; (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<size_t>(got));
    if (one_line && answer.find('\n') != std::string::npos) break;
  }
  return answer;
}

std::string http_get(uint16_t port, const std::string& path) {
  return ask(test::connect_loopback(port), "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
             false);
}

}  // namespace

Server::Server(const Programs& programs, const std::string& dir, const ServerOptions& options)
    : programs_(programs),
      base_(dir + "/" + options.name),
      state_(programs.state_dir + "/" + options.name),
      address_(options.address),
      admin_port_(options.admin_port != 0 ? options.admin_port : test::free_port()),
      mysql_port_(test::free_port()) {
  std::vector<uint16_t> cores = options.cores;
  if (options.own_entry) cores.push_back(admin_port_);
  std::string entries;
  for (const uint16_t port : cores) {
    entries += (entries.empty() ? "" : ", ") + std::string("{ hostname=\"127.0.0.1\", port=") + std::to_string(port) +
               ", weight=0, comment=\"core\" }";
  }
  entries += options.entries;
  std::string backends;
  for (int i = 0; i < options.backends; ++i) {
    const bool real = i == 0 && options.backend_port != 0;
    backends += (i == 0 ? "" : ", ") + std::string("{ address=\"127.0.0.1\", port=") +
                std::to_string(real ? options.backend_port : 3306 + i) +
                ", hostgroup=" + (options.backend_port == 0 || real ? "0" : "1") + " }";
  }
  std::ofstream(config()) << "datadir=\"" << base_ << ".data\"\n"
                          << "admin_variables={ admin_credentials=\"" << kUser << ":" << kPassword
                          << "\", mysql_ifaces=\"" << address_ << ":" << admin_port_ << "\", cluster_username=\""
                          << kUser << "\", cluster_password=\"" << kPassword << "\", cluster_check_interval_ms=200 }\n"
                          << "mysql_variables={ threads=2, monitor_enabled=\"false\", interfaces=\"" << address_ << ":"
                          << mysql_port_ << "\"" << options.mysql_variables << " }\n"
                          << "mysql_servers=( " << backends << " )\n"
                          << "mysql_users=( { username=\"app\", password=\"app\", default_hostgroup=0 } )\n"
                          << (options.query_rules.empty() ? "" : "mysql_query_rules=( " + options.query_rules + " )\n")
                          << "proxysql_servers=( " << entries << " )\n"
                          << "scheduler=( " << options.scheduler << " )\n"
                          << "pulse={ role=\"" << options.role << "\", state=\"" << state()
                          << "\", interval_ms=" << options.interval_ms << ", " << options.pulse
                          << (options.timeout_ms > 0 ? "timeout_ms=" + std::to_string(options.timeout_ms) + ", " : "")
                          << "daemon={ listen_address=\"127.0.0.1\"" << options.daemon << " } }\n";
  std::filesystem::create_directories(base_ + ".data");
  Argv argv;
  if (!options.environment.empty()) argv.emplace_back("env");
  argv.insert(argv.end(), options.environment.begin(), options.environment.end());
  argv.insert(argv.end(), {programs.server, "--no-version-check", "-f", "-c", config(), "-D", base_ + ".data"});
  if (!programs.real) argv.insert(argv.end(), {"--control", base_ + ".control"});
  process_ = Child(argv, log());
}

Result<void> Server::wait_until_up() {
  const auto answers = [&](uint16_t port) { return bool(test::connect_loopback(port, 5, address_.c_str())); };
  const bool up =
      eventually([&] { return !process_.running() || (answers(admin_port_) && answers(mysql_port_)); }, kPatience);
  if (up && process_.running()) return {};
  return Error{programs_.server + " doesn't start; its log ends with: " + output_of({"tail", "-n", "3", log()})};
}

Argv Server::mysql(const std::string& statement, const std::vector<std::string>& options) const {
  Argv argv = {"/usr/bin/mysql",
               "--no-defaults",
               "-h127.0.0.1",
               "-P" + std::to_string(admin_port_),
               std::string("-u") + kUser,
               std::string("-p") + kPassword};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), {"-e", statement});
  return argv;
}

Result<void> Server::wedge(std::chrono::seconds span) {
  const std::string seconds = std::to_string(span.count());
  if (!programs_.real) {
    const std::string answer = control("wedge 1 " + seconds);
    if (answer.find("\"ok\":true") == std::string::npos) return Error{"wedge: " + answer};
    return {};
  }
  wedger_ = Child(mysql("PULL VERSION MYSQL SERVERS 4000000000 " + seconds), base_ + ".wedge.log");
  // It holds from the moment at which a statement gets no answer.
  const bool wedged = eventually(
      [&] {
        const auto cost = run_measured(
            {"/usr/bin/timeout", "0.3", programs_.raw_beat, std::to_string(admin_port_), kUser, kPassword, "SELECT 1"});
        return cost && cost->exit_code == 124;
      },
      kPatience);
  if (!wedged) return Error{"PULL VERSION doesn't hold the admin interface; " + read_file(base_ + ".wedge.log")};
  return {};
}

void Server::unwedge() {
  if (!programs_.real) control("unwedge");
}

std::string Server::control(const std::string& line) const { return ask_control(base_ + ".control", line); }

std::string ask_control(const std::string& path, const std::string& line) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
  return ask(fd, line + "\n", true);
}

Daemon::Daemon(const Programs& programs, const Server& server, const std::string& log)
    : port_(test::free_port()),
      process_({programs.pulsed, "--config=" + server.config(), "--port=" + std::to_string(port_)}, log) {}

Result<void> Daemon::wait_until_ready() {
  std::string answer;
  const bool ready = eventually(
      [&] {
        answer = http_get(port_, "/healthz/ready");
        return answer.rfind("HTTP/1.1 200", 0) == 0 && state() == "beating";
      },
      kPatience);
  if (!ready) return Error{"the daemon doesn't get ready; its last answer: " + answer};
  return {};
}

std::string Daemon::state() const {
  const std::string answer = http_get(port_, "/healthz/ready");
  const std::string key = "\"state\":\"";
  const size_t at = answer.find(key);
  if (at == std::string::npos) return "";
  return answer.substr(at + key.size(), answer.find('"', at + key.size()) - at - key.size());
}

int Daemon::members() const {
  const std::string answer = http_get(port_, "/status");
  int count = 0;
  for (size_t at = answer.find("\"role\": \"", answer.find("\"members\": [")); at != answer.npos;
       at = answer.find("\"role\": \"", at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace pulse::bench
