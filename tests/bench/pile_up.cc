#include "tests/bench/pile_up.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

namespace pulse::bench {

namespace {

constexpr std::chrono::seconds kBeyond{3};

// A scheduler row that runs a script, without arguments.
std::string row(const std::string& filename) {
  return "{ id=1, active=1, interval_ms=500, filename=\"" + filename + "\" }";
}

std::string write_script(const std::string& path, const std::string& text) {
  std::ofstream(path) << "#!/bin/bash\n" << text << "\n";
  ::chmod(path.c_str(), 0700);
  return path;
}

double memory_mb(const std::vector<pid_t>& processes) {
  double kb = 0;
  for (const pid_t pid : processes) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("Pss:", 0) == 0) kb += std::atof(line.c_str() + 4);
    }
  }
  return kb / 1024;
}

}  // namespace

Result<std::vector<Pile>> pile_up(const Programs& programs, const std::string& dir, std::chrono::seconds span) {
  // The scripts need the port, which the server chooses: they read it from a file that is written afterwards.
  const auto client = [&](const std::string& name) {
    return "/usr/bin/mysql --no-defaults -h127.0.0.1 -P$(<" + dir + "/" + name + ".port) -u" + kUser + " -p" +
           kPassword + " -NBe 'SELECT COUNT(*) FROM runtime_proxysql_servers'";
  };
  const std::string naive = write_script(dir + "/naive.sh", client("naive") + " > /dev/null\nexit 0");
  const std::string locked =
      write_script(dir + "/locked.sh", "exec /usr/bin/flock -n " + dir + "/locked.lock /usr/bin/timeout 2 " +
                                           client("locked") + " > /dev/null");
  const std::string beat = "{ id=1, active=1, interval_ms=500, filename=\"" + programs.pulse +
                           "\", arg1=\"beat\", arg2=\"--config=" + dir +
                           "/beat.cnf\", arg3=\"--state=" + programs.state_dir + "/beat\" }";
  struct Entry {
    std::string name, what, scheduler;
  };
  const Entry entries[] = {{"naive", "bash + mysql", row(naive)},
                           {"locked", "flock -n + timeout 2 mysql", row(locked)},
                           {"beat", "proxysql-pulse beat", beat}};
  std::vector<std::unique_ptr<Server>> servers;
  for (const Entry& entry : entries) {
    servers.push_back(
        std::make_unique<Server>(programs, dir, ServerOptions{entry.name, "core", entry.scheduler, {}, true}));
    std::ofstream(dir + "/" + entry.name + ".port") << servers.back()->admin_port() << "\n";
  }
  for (const auto& server : servers) {
    if (auto up = server->wait_until_up(); !up) return up.error();
  }
  const timespec settle{3, 0};
  ::nanosleep(&settle, nullptr);

  std::vector<Pile> piles;
  for (size_t i = 0; i < servers.size(); ++i) {
    const int64_t threads = status_value(servers[i]->pid(), "Threads");
    piles.push_back({entries[i].what, 0, 0, threads, threads, {}, {}});
  }
  for (const auto& server : servers) {
    if (auto wedged = server->wedge(span); !wedged) return wedged.error();
  }
  const int64_t began = monotonic_ns();
  const Deadline end = Deadline::after(span + kBeyond);
  bool last = false;
  bool measured = false;
  while (!last) {
    const timespec pause{0, 100'000'000};
    ::nanosleep(&pause, nullptr);
    last = end.passed();
    const bool near_end = !measured && end.left() < kBeyond + std::chrono::seconds(2);
    measured = measured || near_end;
    for (size_t i = 0; i < servers.size(); ++i) {
      const std::vector<pid_t> started = descendants(servers[i]->pid());
      // The memory of many processes takes a while to read: where there is a pile, once near the end is enough.
      if (near_end || (started.size() > piles[i].most_processes && started.size() < 8)) {
        piles[i].most_memory_mb = std::max(piles[i].most_memory_mb, memory_mb(started));
      }
      piles[i].most_processes = std::max(piles[i].most_processes, started.size());
      const int64_t threads = status_value(servers[i]->pid(), "Threads");
      piles[i].most_threads = std::max(piles[i].most_threads, threads);
      const double at = static_cast<double>(monotonic_ns() - began) / 1e9;
      piles[i].processes.emplace_back(at, static_cast<double>(started.size()));
      piles[i].threads.emplace_back(at, static_cast<double>(threads));
    }
  }
  return piles;
}

}  // namespace pulse::bench
