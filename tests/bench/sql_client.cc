#include "tests/bench/sql_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "tests/bench/native_password.h"
#include "tests/loopback.h"

namespace pulse::bench {

namespace {

constexpr int kPatienceS = 60;
constexpr size_t kHeader = 4;  // of a packet

bool receive_all(int fd, char* to, size_t count) {
  for (ssize_t got = 0; count > 0; to += got, count -= static_cast<size_t>(got)) {
    got = ::recv(fd, to, count, 0);
    if (got <= 0) return false;
  }
  return true;
}

// The next packet, without its header; "" if there is none.
std::string receive_packet(int fd) {
  uint8_t header[kHeader];
  if (!receive_all(fd, reinterpret_cast<char*>(header), sizeof header)) return "";
  std::string packet(header[0] | size_t{header[1]} << 8 | size_t{header[2]} << 16, '\0');
  return receive_all(fd, packet.data(), packet.size()) ? packet : "";
}

bool transmit_packet(int fd, const std::string& payload, char sequence) {
  std::string packet;
  for (int i = 0; i < 3; ++i) packet += static_cast<char>(payload.size() >> (8 * i));
  packet += sequence;
  packet += payload;
  return ::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size());
}

std::string scrambled(const std::string& password, const std::string& salt) {
  std::string answer(kSha1Size, '\0');
  native_password(password.c_str(), reinterpret_cast<const uint8_t*>(salt.data()),
                  reinterpret_cast<uint8_t*>(answer.data()));
  return answer;
}

}  // namespace

bool AnswerReader::take(const char* bytes, size_t count) {
  for (size_t at = 0; at < count && !complete_;) {
    if (have_ < kHead) {
      head_[have_++] = bytes[at++];
      if (have_ < kHead) continue;
      const auto byte = [this](size_t i) { return size_t{static_cast<uint8_t>(head_[i])}; };
      size_ = byte(0) | byte(1) << 8 | byte(2) << 16;
      left_ = size_ > 0 ? size_ - 1 : 0;
    } else {
      const size_t taken = std::min(left_, count - at);
      if (kind() == 0xFF) error_.append(bytes + at, taken);
      left_ -= taken;
      at += taken;
    }
    if (left_ == 0) end_packet();
  }
  return complete_;
}

void AnswerReader::end_packet() {
  constexpr size_t kCodeAndState = 8;  // before the text of an error
  constexpr size_t kLongestEnd = 9;
  if (kind() == 0xFF) {
    error_ = error_.size() > kCodeAndState ? error_.substr(kCodeAndState) : "an error without a text";
    complete_ = true;
  }
  if (kind() == 0 && packets_ == 0) complete_ = true;
  if (kind() == 0xFE && size_ < kLongestEnd && ++ends_ == 2) complete_ = true;
  ++packets_;
  have_ = 0;
}

Result<SqlClient> SqlClient::connect(uint16_t port, const std::string& user, const std::string& password) {
  UniqueFd fd = test::connect_loopback(port, kPatienceS);
  if (!fd) return system_error("connect to port " + std::to_string(port), errno);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SqlClient client(std::move(fd));
  if (auto in = client.log_in(user, password); !in) return in.error();
  return client;
}

Result<void> SqlClient::log_in(const std::string& user, const std::string& password) const {
  constexpr const char* kPlugin = "mysql_native_password";
  const std::string greeting = receive_packet(fd());
  const size_t after_version = greeting.find('\0', 1) + 1;
  if (greeting.empty() || greeting.size() < after_version + 43) return Error{"no greeting"};
  const std::string salt = greeting.substr(after_version + 4, 8) + greeting.substr(after_version + 31, 12);
  std::string answer;
  for (int i = 0; i < 4; ++i) answer += static_cast<char>(kClientFlags >> (8 * i));
  answer += std::string("\0\0\0\1\x2d", 5);  // at most 16 MiB in a packet; utf8mb4
  answer += std::string(23, '\0') + user + '\0';
  answer += static_cast<char>(kSha1Size);
  answer += scrambled(password, salt) + kPlugin + '\0';
  if (!transmit_packet(fd(), answer, 1)) return system_error("log in", errno);
  std::string verdict = receive_packet(fd());
  const std::string other_way = std::string("\xFE") + kPlugin + '\0';
  if (verdict.rfind(other_way, 0) == 0 && verdict.size() >= other_way.size() + kSha1Size) {
    if (!transmit_packet(fd(), scrambled(password, verdict.substr(other_way.size())), 3)) {
      return system_error("log in", errno);
    }
    verdict = receive_packet(fd());
  }
  if (verdict.empty() || verdict[0] != '\0') return Error{"login of " + user + " refused: " + verdict};
  return {};
}

bool SqlClient::transmit(const std::string& statement) const { return transmit_packet(fd(), '\3' + statement, 0); }

Result<void> SqlClient::run(const std::string& statement) {
  if (!transmit(statement)) return system_error("send a statement", errno);
  AnswerReader answer;
  std::vector<char> buffer(size_t{1} << 16);
  for (;;) {
    const ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return Error{"no answer to " + statement.substr(0, 80)};
    if (answer.take(buffer.data(), static_cast<size_t>(got))) break;
  }
  if (!answer.error().empty()) return Error{statement.substr(0, 80) + ": " + answer.error()};
  return {};
}

}  // namespace pulse::bench
