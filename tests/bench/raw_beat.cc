// raw-beat PORT USER PASSWORD STATEMENT: a beat's conversation with the admin interface, written by hand over a socket.
//
// Greeting, mysql_native_password login, one statement, its whole result, goodbye. Nothing but the C library, no heap,
// no timeouts, no checks beyond what is needed to notice a failure: the least that such a conversation can cost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/give_up.h"
#include "tests/bench/native_password.h"

namespace {

using pulse::bench::give_up;
using pulse::bench::kClientFlags;
using pulse::bench::kSha1Size;

uint8_t buffer[1 << 16];
size_t begin = 0, end = 0;

// One packet, its header taken off. Good until the next call.
uint8_t* receive(int fd, uint32_t& size) {
  for (;;) {
    if (end - begin >= 4) {
      size = buffer[begin] | static_cast<uint32_t>(buffer[begin + 1]) << 8 |
             static_cast<uint32_t>(buffer[begin + 2]) << 16;
      if (size == 0 || size > sizeof buffer - 4) give_up("empty or too long packet");
      if (end - begin >= 4 + size) {
        uint8_t* const packet = buffer + begin + 4;
        begin += 4 + size;
        return packet;
      }
    }
    memmove(buffer, buffer + begin, end - begin);
    end -= begin;
    begin = 0;
    const ssize_t got = read(fd, buffer + end, sizeof buffer - end);
    if (got <= 0) give_up("connection lost");
    end += static_cast<size_t>(got);
  }
}

void transmit(int fd, uint8_t* packet, uint32_t size, uint8_t sequence) {
  packet[0] = static_cast<uint8_t>(size);
  packet[1] = static_cast<uint8_t>(size >> 8);
  packet[2] = static_cast<uint8_t>(size >> 16);
  packet[3] = sequence;
  if (write(fd, packet, size + 4) != static_cast<ssize_t>(size + 4)) give_up("write failed");
}

void log_in(int fd, const char* user, const char* password) {
  uint32_t size = 0;
  uint8_t* greeting = receive(fd, size);
  const uint8_t* const after_version = greeting + 1 + strlen(reinterpret_cast<char*>(greeting + 1)) + 1;
  uint8_t salt[kSha1Size];
  memcpy(salt, after_version + 4, 8);
  memcpy(salt + 8, after_version + 31, 12);

  static uint8_t packet[512];
  uint8_t* to = packet + 4;
  for (int i = 0; i < 4; ++i) *to++ = static_cast<uint8_t>(kClientFlags >> (8 * i));
  to[3] = 1;   // at most 16 MiB in a packet
  to[4] = 45;  // utf8mb4
  to += 28;
  memcpy(to, user, strlen(user) + 1);
  to += strlen(user) + 1;
  *to++ = kSha1Size;
  pulse::bench::native_password(password, salt, to);
  to += kSha1Size;
  memcpy(to, "mysql_native_password", 22);
  to += 22;
  transmit(fd, packet, static_cast<uint32_t>(to - packet - 4), 1);
  if (*receive(fd, size) != 0) give_up("login refused");
}

void query(int fd, const char* statement) {
  static uint8_t packet[8192];
  const auto length = static_cast<uint32_t>(strlen(statement));
  if (length + 5 > sizeof packet) give_up("statement too long");
  packet[4] = 3;
  memcpy(packet + 5, statement, length);
  transmit(fd, packet, length + 1, 0);
  uint32_t size = 0;
  if (*receive(fd, size) == 0xFF) give_up("statement refused");
  for (int ends = 0; ends < 2;) {  // one after the columns, one after the rows
    const uint8_t* const row = receive(fd, size);
    if (row[0] == 0xFF) give_up("statement failed");
    if (row[0] == 0xFE && size < 9) ++ends;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 || strlen(argv[2]) > 100 || strlen(argv[3]) > 55)
    give_up("usage: raw-beat PORT USER PASSWORD STATEMENT");
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect failed");
  log_in(fd, argv[2], argv[3]);
  query(fd, argv[4]);
  uint8_t quit[5] = {0, 0, 0, 0, 1};
  transmit(fd, quit, 1, 0);
  close(fd);
  return 0;
}
