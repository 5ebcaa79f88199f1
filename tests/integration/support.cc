#include "tests/integration/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "scheduler/admin/admin_client.h"
#include "scheduler/run/process.h"
#include "src/base/unique_fd.h"

namespace pulse::test {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A connection to the double's control socket; none if nobody listens there.
UniqueFd connect_control(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

}  // namespace

bool is_real() {
  const char* path = std::getenv("PROXYSQL_BIN");
  return path != nullptr && *path != '\0';
}

namespace {

// PULSE_DOUBLE_VERSION, or the double's own default.
std::string double_version() {
  const char* const version = std::getenv("PULSE_DOUBLE_VERSION");
  return version == nullptr ? "2" : version;
}

int major_of_real() {
  static const int major = [] {
    const TempDir dir;
    const std::string output = run_to_end({std::getenv("PROXYSQL_BIN"), "--version"}, dir).output;
    const size_t at = output.find("version ");  // "ProxySQL version 3.0.1-39-g596d5ba, codename Truls"
    return at == std::string::npos ? 2 : std::atoi(output.c_str() + at + 8);
  }();
  return major;
}

}  // namespace

int proxysql_major() { return is_real() ? major_of_real() : std::atoi(double_version().c_str()); }

std::string binary(const std::string& name) {
  const char* const programs = std::getenv("PULSE_SANITIZED_PROGRAMS");
  if (programs != nullptr && (name == "proxysql-pulse" || name == "proxysql-pulsed")) {
    return std::string(programs) + "/" + name;
  }
  return std::string(PULSE_BIN_DIR) + "/" + name;
}

bool is_sanitized() { return std::getenv("PULSE_SANITIZED_PROGRAMS") != nullptr; }

bool eventually(const std::function<bool()>& condition, milliseconds patience) {
  const Deadline deadline = Deadline::after(patience);
  // What doesn't come soon is asked for less often: other tests have the processors meanwhile.
  milliseconds pause{2};
  for (;;) {
    if (condition()) return true;
    if (deadline.passed()) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause + pause / 8 + milliseconds(1), milliseconds(20));
  }
}

Process::Process(const std::vector<std::string>& argv, const TempDir& dir, Options options) {
  static std::atomic<int> count{0};
  output_path_ = dir / (options.name + "." + std::to_string(count++) + ".out");
  std::vector<char*> arguments, environment;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : options.environment) environment.push_back(const_cast<char*>(variable.c_str()));
  arguments.push_back(nullptr);
  environment.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  const int out = ::open(output_path_.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  const int none = ::open("/dev/null", O_RDONLY);
  ::dup2(none, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::close(out);
  ::close(none);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // Connector/C's sockets stay open across exec otherwise
  if (options.in_child) options.in_child();
  ::execve(arguments[0], arguments.data(), environment.data());
  ::_exit(127);
}

Process::~Process() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const { ::kill(pid_, number); }

std::optional<int> Process::wait(milliseconds patience) {
  if (ended_) return ended_;
  const UniqueFd fd(static_cast<int>(::syscall(434 /* pidfd_open */, pid_, 0)));
  pollfd event{fd.get(), POLLIN, 0};
  ::poll(&event, 1, static_cast<int>(patience.count()));
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended_;
}

bool Process::running() { return !wait(milliseconds(0)); }

std::string Process::output() const { return read_file(output_path_); }

Ran run_to_end(const std::vector<std::string>& argv, const TempDir& dir, const std::vector<std::string>& environment,
               const std::function<void()>& in_child) {
  const int64_t began = monotonic_ns();
  Process process(argv, dir, {environment, "run", in_child});
  Ran ran;
  ran.exit_code = process.wait().value_or(-1000);
  ran.took = std::chrono::duration_cast<milliseconds>(nanoseconds(monotonic_ns() - began));
  ran.output = process.output();
  return ran;
}

Server::Server(Options options)
    : options_(std::move(options)),
      admin_port_(options_.admin_port != 0 ? options_.admin_port : free_port()),
      mysql_port_(options_.mysql_port != 0 ? options_.mysql_port : free_port()),
      pgsql_port_(free_port()),
      pgsql_admin_port_(free_port()),
      config_path_(dir_ / "proxysql.cnf"),
      state_path_(dir_ / "state") {
  write_config();
  if (options_.start) start();
}

Server::~Server() {
  if (process_ && process_->running()) kill();
  // What its scheduler has just started would put files into a directory that goes.
  EXPECT_TRUE(eventually([&] {
    for (const pid_t beat : beats()) ::kill(beat, SIGKILL);
    return beats().empty();
  }));
}

int Server::major() const {
  if (!is_double()) return proxysql_major();
  return std::atoi((options_.version.empty() ? double_version() : options_.version).c_str());
}

void Server::write_config() {
  std::string row;
  if (options_.beat_interval_ms > 0) {
    row = "{ id=1, active=1, interval_ms=" + std::to_string(options_.beat_interval_ms) + ", filename=\"" +
          binary("proxysql-pulse") + "\", arg1=\"beat\", arg2=\"--config=" + config_path_ +
          "\", arg3=\"--state=" + state_path_ + "\" },";
  }
  std::string interfaces = options_.address + ":" + std::to_string(mysql_port_) + options_.more_interfaces;
  if (options_.socket == Options::Socket::alone) interfaces.clear();
  if (options_.socket != Options::Socket::none) interfaces += (interfaces.empty() ? "" : ";") + mysql_socket();
  const auto group = [](const std::string& name, const std::string& elements) {
    return elements.empty() ? "" : name + "=( " + elements + " )\n";
  };
  // ProxySQL 3 listens for PostgreSQL clients whatever the file says: not all servers of a test on one port. PAUSE
  // takes time for each thread.
  std::string pgsql;
  if (major() >= 3) {
    pgsql = "pgsql_variables={ threads=1, monitor_enabled=\"false\", authentication_method=1, interfaces=\"" +
            options_.address + ":" + std::to_string(pgsql_port_) + "\"" + options_.pgsql_variables + " }\n" +
            group("pgsql_servers", options_.pgsql_servers) + group("pgsql_users", options_.pgsql_users);
  }
  // Replaced in one go, as an update of a ConfigMap is.
  dir_.write("proxysql.cnf.new",
             "datadir=\"" + (dir_ / "data") +
                 "\"\n"
                 "admin_variables={ admin_credentials=\"admin:admin;radmin:radmin\", mysql_ifaces=\"" +
                 options_.address + ":" + std::to_string(admin_port_) + "\", " +
                 (options_.cluster_user ? "cluster_username=\"radmin\", cluster_password=\"radmin\", " : "") +
                 "cluster_check_interval_ms=" + std::to_string(options_.cluster_check_ms) + ", " +
                 options_.admin_variables +
                 " }\n"
                 "mysql_variables={ threads=2, monitor_enabled=\"false\", interfaces=\"" +
                 interfaces + "\", " + options_.mysql_variables + " }\n" + pgsql +
                 group("mysql_servers", options_.mysql_servers) + group("mysql_users", options_.mysql_users) +
                 group("mysql_query_rules", options_.query_rules) + options_.more_groups + "proxysql_servers=( " +
                 options_.bootstrap + " )\n" + "scheduler=( " + row + " )\n" + "pulse={ role=\"" + options_.role +
                 "\", state=\"" + state_path_ + "\", " + options_.pulse + " }\n");
  std::filesystem::rename(dir_ / "proxysql.cnf.new", config_path_);
  std::filesystem::create_directories(dir_ / "data");
}

void Server::start() {
  std::vector<std::string> argv;
  if (!is_double()) {
    argv = {std::getenv("PROXYSQL_BIN"), "--no-version-check", "-f", "-c", config_path_, "-D", dir_ / "data"};
  } else {
    argv = {binary("proxysql-double"), "-f", "-c", config_path_, "-D", dir_ / "data", "--control", dir_ / "control"};
    const char* const everywhere = std::getenv("PULSE_DOUBLE_VERSION");
    if (!options_.version.empty() || everywhere != nullptr) {
      argv.insert(argv.end(), {"--proxysql-version", options_.version.empty() ? everywhere : options_.version});
    }
    if (!options_.mysql) argv.emplace_back("--mysql-workers=false");
    argv.insert(argv.end(), options_.arguments.begin(), options_.arguments.end());
  }
  if (options_.idle_threads) argv.emplace_back("--idle-threads");
  Process::Options of_process{{"PATH=/usr/bin:/bin"}, "server", {}};
  of_process.environment.insert(of_process.environment.end(), options_.environment.begin(), options_.environment.end());
  process_ = std::make_unique<Process>(argv, dir_, std::move(of_process));
  const auto answers = [&](uint16_t port) { return bool(connect_loopback(port, 5, options_.address.c_str())); };
  const bool up = eventually([&] {
    return !process_->running() ||
           (answers(admin_port_) &&
            (!options_.mysql || options_.socket == Options::Socket::alone || answers(mysql_port_)) &&
            (major() < 3 || answers(pgsql_port_)) && (!is_double() || connect_control(dir_ / "control")));
  });
  ASSERT_TRUE(up && process_->running()) << process_->output();
}

void Server::kill() {
  process_->signal(SIGCONT);
  process_->signal(SIGKILL);
  ASSERT_TRUE(process_->wait());
}

void Server::wipe() {
  std::filesystem::remove_all(dir_ / "data");
  std::filesystem::create_directories(dir_ / "data");
}

void Server::rewrite(const std::function<void(Options&)>& change) {
  change(options_);
  write_config();
}

int Server::threads() const {
  const auto stat = read_process_stat(process_->pid());
  return stat ? static_cast<int>(stat->threads) : 0;
}

std::vector<std::vector<std::string>> Server::query(const std::string& statement) {
  const Deadline deadline = Deadline::after(kPatience);
  auto client = AdminClient::connect({options_.address, admin_port_, "radmin", "radmin", false}, deadline);
  if (!client) {
    ADD_FAILURE() << client.error().text;
    return {};
  }
  auto result = client->query(statement, deadline);
  if (!result) {
    ADD_FAILURE() << result.error().text;
    return {};
  }
  client->close(deadline);
  return result->rows;
}

std::string Server::value(const std::string& statement) {
  const auto rows = query(statement);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0];
}

std::string Server::column(const std::string& statement) {
  std::string joined;
  for (const auto& row : query(statement)) joined += (joined.empty() ? "" : ",") + row[0];
  return joined;
}

nlohmann::json ask_control(const std::string& socket_path, const std::string& command) {
  const UniqueFd fd = connect_control(socket_path);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::string line = command + "\n";
  std::string answer;
  if (fd && ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) {
    char buffer[65536];
    ssize_t got;
    while (answer.find('\n') == std::string::npos && (got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) {
      answer.append(buffer, static_cast<size_t>(got));
    }
  }
  auto json = nlohmann::json::parse(answer, nullptr, false);
  EXPECT_FALSE(json.is_discarded() || json.contains("error")) << command << " -> " << answer;
  return json;
}

nlohmann::json Server::control(const std::string& command) { return ask_control(dir_ / "control", command); }

void Server::wedge(seconds span) {
  if (!is_real()) {
    control("wedge 1 " + std::to_string(span.count()));
    return;
  }
  wedger_ = std::make_unique<Process>(
      std::vector<std::string>{"/usr/bin/mysql", "-h" + options_.address, "-P" + std::to_string(admin_port_),
                               "-uradmin", "-pradmin", "-e",
                               "PULL VERSION MYSQL SERVERS 4000000000 " + std::to_string(span.count())},
      dir_, Process::Options{{}, "wedger", {}});
  // It holds from the moment at which a statement gets no answer.
  ASSERT_TRUE(eventually([&] {
    auto client =
        AdminClient::connect({options_.address, admin_port_, "radmin", "radmin", false}, Deadline::after(seconds(1)));
    return client && !client->query("SELECT 1", Deadline::after(milliseconds(100)));
  }));
}

void Server::unwedge() {
  if (!is_real()) control("unwedge");
}

std::vector<std::string> Server::pulse(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), binary("proxysql-pulse"));
  arguments.push_back("--config=" + config_path_);
  return arguments;
}

Ran Server::run(std::vector<std::string> arguments, std::vector<std::string> environment) const {
  return run_to_end(pulse(std::move(arguments)), dir_, environment);
}

nlohmann::json Server::status() const {
  const Ran ran = run({"status", "--json"});
  const size_t open = ran.output.find('{');
  auto json = nlohmann::json::parse(open == std::string::npos ? "" : ran.output.substr(open), nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << ran.output;
  return json;
}

std::vector<pid_t> Server::processes(const std::string& command) const {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  while (const dirent* entry = ::readdir(proc.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string line = read_file("/proc/" + std::string(entry->d_name) + "/cmdline");  // zeros between words
    if (line.find("proxysql-pulse") != std::string::npos && line.find(config_path_) != std::string::npos &&
        line.find('\0' + command + '\0') != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

Daemon::Daemon(const Server& server, const std::vector<std::string>& arguments, std::vector<std::string> environment)
    : process_(
          [&] {
            std::vector<std::string> argv = {binary("proxysql-pulsed"), "--config=" + server.config(), "--port=0"};
            for (const std::string& argument : arguments) {
              if (argument.rfind("--port=", 0) == 0) argv.pop_back();
            }
            argv.insert(argv.end(), arguments.begin(), arguments.end());
            return argv;
          }(),
          server.dir(), Process::Options{std::move(environment), "daemon", {}}) {
  for (const std::string& argument : arguments) {
    if (argument.rfind("--listen=127.", 0) == 0) address_ = argument.substr(9);
  }
  const bool up = eventually([&] {
    const std::string log = process_.output();
    const size_t at = log.find("answering on port ");
    if (at != std::string::npos && log.find('\n', at) != std::string::npos) {
      port_ = static_cast<uint16_t>(std::stoi(log.substr(at + 18)));
    }
    return port_ != 0 || !process_.running();
  });
  EXPECT_TRUE(up && port_ != 0) << process_.output();
}

Daemon::Answer Daemon::ask(const Request& wanted) const {
  const int64_t began = monotonic_ns();
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback_address(port_);
  ::inet_pton(AF_INET, (wanted.address.empty() ? address_ : wanted.address).c_str(), &address.sin_addr);
  const timeval patience{wanted.patience.count(), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  const std::string length =
      wanted.body.empty() ? "" : "Content-Length: " + std::to_string(wanted.body.size()) + "\r\n";
  const std::string request = wanted.method + " " + wanted.path + " HTTP/1.1\r\nHost: localhost\r\n" + wanted.headers +
                              length + "Connection: close\r\n\r\n" + wanted.body;
  std::string text;
  if (fd && ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[65536];
    ssize_t got;
    while ((got = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) text.append(buffer, static_cast<size_t>(got));
  }
  Answer answer;
  answer.ms = static_cast<double>(monotonic_ns() - began) / 1e6;
  const size_t body = text.find("\r\n\r\n");
  if (text.rfind("HTTP/1.1 ", 0) != 0 || body == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(9));
  answer.head = text.substr(0, body + 2);
  answer.text = text.substr(body + 4);
  if (wanted.method != "HEAD") answer.body = nlohmann::json::parse(answer.text, nullptr, false);
  return answer;
}

std::string Daemon::state() const {
  const Answer answer = get("/status");
  return answer.body.is_object() ? answer.body.value("state", "") : "";
}

}  // namespace pulse::test
