#include "scheduler/doctor/surroundings.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "scheduler/run/process.h"
#include "src/base/file.h"
#include "src/base/host_port.h"
#include "src/base/http_round.h"
#include "src/base/number.h"
#include "src/linux/socket_table.h"

namespace pulse {

namespace {

constexpr milliseconds kWatched{100};  // how long threads are watched

milliseconds left_of(Deadline deadline, milliseconds most) {
  return std::clamp(std::chrono::duration_cast<milliseconds>(deadline.left()), milliseconds(1), most);
}

std::string text_of(const std::string& path) {
  constexpr size_t kMost = 8 << 20;
  const auto text = read_text_at_once(path, kMost);
  return text ? *text : "";
}

// The processor time of each thread, in clock ticks.
std::vector<std::pair<pid_t, int64_t>> thread_times(pid_t pid) {
  std::vector<std::pair<pid_t, int64_t>> times;
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = tasks ? ::readdir(tasks.get()) : nullptr) {
    const auto thread = to_number<pid_t>(entry->d_name);
    if (!thread) continue;
    const std::string stat = text_of(path + "/" + entry->d_name + "/stat");
    const size_t close = stat.rfind(')');
    unsigned long user = 0, system = 0;
    if (close == std::string::npos ||
        std::sscanf(stat.c_str() + close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) !=
            2) {
      continue;
    }
    times.emplace_back(*thread, static_cast<int64_t>(user + system));
  }
  return times;
}

// "0100007F:1F90", "0000000000000000FFFF00000100007F:1F90": words of the machine's byte order.
bool take_end(std::string_view text, std::string& address, uint16_t& port) {
  const size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return false;
  std::array<uint32_t, 4> words{};
  for (size_t i = 0; i < colon / 8; ++i) {
    const char* const begin = text.data() + i * 8;
    if (std::from_chars(begin, begin + 8, words[i], 16).ptr != begin + 8) return false;
  }
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data() + colon + 1, end, port, 16).ptr != end) return false;
  char shown[INET6_ADDRSTRLEN] = {};
  const bool is_mapped = colon == 32 && words[0] == 0 && words[1] == 0 && words[2] == htonl(0xFFFF);
  if (colon == 8 || is_mapped) {
    ::inet_ntop(AF_INET, colon == 8 ? &words[0] : &words[3], shown, sizeof shown);
  } else {
    ::inet_ntop(AF_INET6, words.data(), shown, sizeof shown);
  }
  address = shown;
  return true;
}

PeerAddress local_daemon(const Config& config) {
  const std::string& listen = config.daemon.listen_address;
  const bool all = listen.empty() || listen == "0.0.0.0" || listen == "::" || !is_address(listen);
  return {all ? "127.0.0.1" : listen, static_cast<uint16_t>(config.daemon.port)};
}

std::string member_text(const nlohmann::json& json, const char* group, const char* key) {
  const auto in = group == nullptr ? json : json.value(group, nlohmann::json::object());
  if (!in.is_object()) return "";
  const auto found = in.find(key);
  return found != in.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

ProcessSeen look_at_process(const Config& config, Deadline deadline) {
  ProcessSeen seen;
  if (config.admin.host.front() == '/') return seen;
  const auto inodes =
      listening_inodes(static_cast<uint16_t>(config.admin.port), deadline, SocketSource::automatic, config.admin.host);
  if (!inodes) return seen;
  const auto pid = process_with_socket(*inodes, deadline);
  const auto stat = pid ? read_process_stat(*pid) : Result<ProcessStat>(Error{""});
  if (!stat) return seen;
  seen.found = true;
  seen.pid = *pid;
  seen.threads = stat->threads;
  const std::string options = text_of("/proc/" + std::to_string(*pid) + "/cmdline");
  seen.idle_threads = options.find(std::string("\0--idle-threads\0", 16)) != std::string::npos;
  const auto before = thread_times(*pid);
  std::this_thread::sleep_for(left_of(deadline, kWatched));
  const int64_t most = ::sysconf(_SC_CLK_TCK) * kWatched.count() / 1000;
  for (const auto& now : thread_times(*pid)) {
    const auto was =
        std::find_if(before.begin(), before.end(), [&](const auto& one) { return one.first == now.first; });
    if (was != before.end() && (now.second - was->second) * 2 > most) ++seen.busy_threads;
  }
  return seen;
}

std::vector<TcpRow> parse_tcp_table(std::string_view text) {
  constexpr std::string_view kEstablished = " 01 ";
  std::vector<TcpRow> rows;
  for (size_t at = text.find('\n'); at != std::string_view::npos;) {
    const size_t end = text.find('\n', at + 1);
    const std::string_view line = text.substr(at + 1, end - at - 1);
    at = end;
    // A busy host has tens of thousands of connections that are over.
    if (line.find(kEstablished) == std::string_view::npos) continue;
    char local[48] = {}, remote[48] = {}, state[4] = {};
    unsigned long inode = 0;
    if (std::sscanf(std::string(line).c_str(), " %*d: %47s %47s %3s %*s %*s %*s %*u %*d %lu", local, remote, state,
                    &inode) != 4 ||
        kEstablished.find(state) != 1) {
      continue;
    }
    TcpRow row;
    if (!take_end(local, row.local, row.local_port) || !take_end(remote, row.remote, row.remote_port)) continue;
    row.inode = static_cast<uint32_t>(inode);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<AdminConnection> look_at_connections(const Config& config, Deadline deadline) {
  std::vector<TcpRow> rows = parse_tcp_table(text_of("/proc/net/tcp"));
  for (TcpRow& row : parse_tcp_table(text_of("/proc/net/tcp6"))) rows.push_back(std::move(row));
  std::vector<AdminConnection> list;
  if (config.admin.host.front() == '/') return list;
  for (const TcpRow& row : rows) {
    if (row.local_port != config.admin.port || list.size() == kMostConnections) continue;
    AdminConnection connection{host_port_text(row.remote, row.remote_port), ""};
    const auto other = std::find_if(rows.begin(), rows.end(), [&](const TcpRow& one) {
      return one.local_port == row.remote_port && one.remote_port == row.local_port && one.local == row.remote;
    });
    std::optional<pid_t> pid;
    if (other != rows.end() && other->inode != 0) pid = process_with_socket({other->inode}, deadline);
    if (pid) {
      const auto stat = read_process_stat(*pid);
      if (stat) connection.program = stat->name + " (pid " + std::to_string(*pid) + ")";
    }
    list.push_back(std::move(connection));
  }
  return list;
}

DaemonSeen ask_daemon(const Config& config, Deadline deadline) {
  DaemonSeen seen;
  if (config.daemon.port == 0) return seen;
  seen.asked = true;
  const PeerAddress address = local_daemon(config);
  seen.where = host_port_text(address.host, address.port);
  RoundLimits limits;
  limits.within = left_of(deadline, milliseconds(1000));
  const auto answers = ask_all({address}, "/status", limits, -1);
  if (!answers.front()) {
    seen.why = answers.front().error().text;
    return seen;
  }
  const auto json = nlohmann::json::parse(*answers.front(), nullptr, false);
  if (!json.is_object() || !json.contains("heartbeat")) {
    seen.why = "what answers there is no proxysql-pulsed";
    return seen;
  }
  seen.answers = true;
  seen.version = member_text(json, nullptr, "version");
  seen.state_path = member_text(json, "segment", "path");
  return seen;
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> list;
  ifaddrs* found = nullptr;
  if (::getifaddrs(&found) != 0) return list;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(found, ::freeifaddrs);
  for (const ifaddrs* entry = found; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = {};
    const int family = entry->ifa_addr->sa_family;
    const void* from = nullptr;
    if (family == AF_INET) from = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    if (family == AF_INET6) from = &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
    if (from != nullptr && ::inet_ntop(family, from, text, sizeof text) != nullptr) list.emplace_back(text);
  }
  return list;
}

Result<std::vector<std::string>> resolve_within(const std::string& host, Deadline deadline) {
  if (is_address(host)) return std::vector<std::string>{host};
  struct Lookup {
    std::mutex mutex;
    std::condition_variable ended;
    std::optional<Result<std::vector<std::string>>> result;
  };
  const auto lookup = std::make_shared<Lookup>();
  ::__nss_configure_lookup("hosts", "files dns");
  std::thread([lookup, host] {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    std::vector<std::string> addresses;
    for (const addrinfo* entry = failure == 0 ? found : nullptr; entry != nullptr; entry = entry->ai_next) {
      char text[NI_MAXHOST];
      if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0) {
        addresses.emplace_back(text);
      }
    }
    if (failure == 0) ::freeaddrinfo(found);
    const std::lock_guard<std::mutex> hold(lookup->mutex);
    if (failure != 0) {
      lookup->result.emplace(Error{"look up " + host + ": " + ::gai_strerror(failure)});
    } else {
      lookup->result.emplace(std::move(addresses));
    }
    lookup->ended.notify_one();
  }).detach();
  std::unique_lock<std::mutex> hold(lookup->mutex);
  const bool in_time = lookup->ended.wait_for(hold, deadline.left(), [&] { return lookup->result.has_value(); });
  if (!in_time) return Error{"look up " + host + ": timed out", ETIMEDOUT};
  return std::move(*lookup->result);
}

}  // namespace pulse
