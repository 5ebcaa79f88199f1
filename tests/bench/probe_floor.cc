// probe-floor PORT: answers every request on 127.0.0.1 with the same 200, by one thread and poll(): the least that a
// probe can cost. No parsing beyond the end of a request's head, no limits, no timeouts.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr nfds_t kMost = 1024;
constexpr size_t kLongest = 1024;  // of a request's head

struct Connection {
  char in[kLongest];
  size_t size;
};

pollfd sockets[kMost];  // the first one listens
Connection connections[kMost];
nfds_t count = 1;

// Of about the length of the daemon's.
constexpr char kHead[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n";
constexpr size_t kBody = 300;
char answer[sizeof kHead - 1 + kBody];

void accept_all() {
  for (;;) {
    const int fd = accept4(sockets[0].fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (count == kMost) {
      close(fd);
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockets[count] = {fd, POLLIN, 0};
    connections[count++].size = 0;
  }
}

// False if the connection is to be closed.
bool serve(int fd, Connection& connection) {
  const ssize_t got = recv(fd, connection.in + connection.size, kLongest - connection.size, 0);
  if (got <= 0) return false;
  connection.size += static_cast<size_t>(got);
  if (memmem(connection.in, connection.size, "\r\n\r\n", 4) == nullptr) return connection.size < kLongest;
  if (send(fd, answer, sizeof answer, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof answer)) return false;
  const bool keeps = memmem(connection.in, connection.size, "Connection: close", 17) == nullptr;
  connection.size = 0;
  return keeps;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  signal(SIGPIPE, SIG_IGN);
  memcpy(answer, kHead, sizeof kHead - 1);
  memset(answer + sizeof kHead - 1, ' ', kBody);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  sockets[0] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), POLLIN, 0};
  setsockopt(sockets[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(sockets[0].fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
  if (listen(sockets[0].fd, 512) != 0) return 1;
  while (poll(sockets, count, -1) > 0) {
    for (nfds_t i = count - 1; i > 0; --i) {
      if (sockets[i].revents == 0 || serve(sockets[i].fd, connections[i])) continue;
      close(sockets[i].fd);
      --count;
      sockets[i] = sockets[count];
      connections[i] = connections[count];
    }
    if (sockets[0].revents != 0) accept_all();
  }
  return 1;
}
