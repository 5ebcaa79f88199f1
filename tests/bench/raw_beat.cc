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

namespace {

constexpr uint32_t kDigest = 20;

[[noreturn]] void give_up(const char* what) {
  const char* const parts[] = {"raw-beat: ", what, "\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, strlen(part)) < 0) break;
  }
  _exit(1);
}

// SHA-1 of at most 55 bytes: one block is all that the login needs.
void sha1(const uint8_t* data, uint32_t size, uint8_t* digest) {
  uint8_t block[64] = {};
  memcpy(block, data, size);
  block[size] = 0x80;
  block[62] = static_cast<uint8_t>(size * 8 >> 8);
  block[63] = static_cast<uint8_t>(size * 8);
  const auto rotate = [](uint32_t word, int bits) { return word << bits | word >> (32 - bits); };
  uint32_t w[80];
  for (int i = 0; i < 16; ++i) {
    w[i] = static_cast<uint32_t>(block[4 * i]) << 24 | static_cast<uint32_t>(block[4 * i + 1]) << 16 |
           static_cast<uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
  }
  for (int i = 16; i < 80; ++i) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  const uint32_t start[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  uint32_t a = start[0], b = start[1], c = start[2], d = start[3], e = start[4];
  for (int i = 0; i < 80; ++i) {
    const uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
    const uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
    const uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  const uint32_t sums[5] = {start[0] + a, start[1] + b, start[2] + c, start[3] + d, start[4] + e};
  for (uint32_t i = 0; i < kDigest; ++i) digest[i] = static_cast<uint8_t>(sums[i / 4] >> (24 - 8 * (i % 4)));
}

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
  uint8_t salted[2 * kDigest];
  memcpy(salted, after_version + 4, 8);
  memcpy(salted + 8, after_version + 31, 12);

  uint8_t once[kDigest], mixed[kDigest];
  sha1(reinterpret_cast<const uint8_t*>(password), static_cast<uint32_t>(strlen(password)), once);
  sha1(once, kDigest, salted + kDigest);
  sha1(salted, 2 * kDigest, mixed);
  for (uint32_t i = 0; i < kDigest; ++i) mixed[i] ^= once[i];

  static uint8_t packet[512];
  const uint32_t flags = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x80000;  // long password, 4.1, transactions, native, plug-ins
  uint8_t* to = packet + 4;
  for (int i = 0; i < 4; ++i) *to++ = static_cast<uint8_t>(flags >> (8 * i));
  to[3] = 1;   // at most 16 MiB in a packet
  to[4] = 45;  // utf8mb4
  to += 28;
  memcpy(to, user, strlen(user) + 1);
  to += strlen(user) + 1;
  *to++ = kDigest;
  memcpy(to, mixed, kDigest);
  to += kDigest;
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
