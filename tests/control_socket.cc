#include "tests/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <thread>
#include <utility>

#include "src/base/unique_fd.h"

namespace pulse::test {
namespace {

struct Client {
  UniqueFd fd;
  std::string input;
};

// False when the client has left.
bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// False when the client has left.
bool serve(const RunCommand& run, Client& client) {
  char buffer[4096];
  const ssize_t got = ::recv(client.fd.get(), buffer, sizeof(buffer), 0);
  if (got <= 0) return got < 0 && errno == EINTR;
  client.input.append(buffer, static_cast<size_t>(got));
  for (size_t end = client.input.find('\n'); end != std::string::npos; end = client.input.find('\n')) {
    const std::string line = client.input.substr(0, end);
    client.input.erase(0, end + 1);
    if (!send_all(client.fd.get(), run(line) + "\n")) return false;
  }
  return true;
}

// One thread for all clients: looking at a double doesn't change its number of threads.
[[noreturn]] void serve_all(const RunCommand& run, const UniqueFd& listener) {
  std::list<Client> clients;
  while (true) {
    std::vector<pollfd> waits = {{listener.get(), POLLIN, 0}};
    for (const Client& client : clients) waits.push_back({client.fd.get(), POLLIN, 0});
    if (::poll(waits.data(), waits.size(), -1) <= 0) continue;
    size_t i = 1;
    std::erase_if(clients, [&](Client& client) { return waits[i++].revents != 0 && !serve(run, client); });
    if (waits[0].revents == 0) continue;
    UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted) clients.push_back({std::move(accepted), ""});
  }
}

}  // namespace

std::vector<std::string> split_command(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  bool any = false;
  for (const char c : line) {
    if (c == '"') {
      open = !open;
      any = true;
    } else if (!open && (c == ' ' || c == '\r')) {
      if (any) words.push_back(std::exchange(word, ""));
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(word);
  return words;
}

std::map<std::string, std::string> command_settings(const std::vector<std::string>& words, size_t skip) {
  std::map<std::string, std::string> found;
  for (size_t i = skip; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    found[words[i].substr(0, equals)] = equals == std::string::npos ? "" : words[i].substr(equals + 1);
  }
  return found;
}

Result<void> start_control_socket(const std::string& path, RunCommand run) {
  const std::string what = "listen on " + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return system_error(what, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const mode_t old_mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int reason = errno;
  ::umask(old_mask);
  if (bound != 0) return system_error(what, reason);
  if (::listen(fd.get(), 64) != 0) return system_error(what, errno);
  std::thread([run = std::move(run), fd = std::move(fd)] { serve_all(run, fd); }).detach();
  return {};
}

}  // namespace pulse::test
