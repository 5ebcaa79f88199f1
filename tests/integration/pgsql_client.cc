#include "tests/integration/pgsql_client.h"

#include <sys/socket.h>

#include <algorithm>

#include "tests/loopback.h"

namespace pulse::test {

namespace {

std::string number(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

uint32_t number_at(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = at; i < std::min(at + 4, bytes.size()); ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

PgsqlClient::PgsqlClient(uint16_t port, const std::string& user, const std::string& password,
                         const std::string& address)
    : fd_(connect_loopback(port, 5, address.c_str())) {
  if (!fd_) {
    error_ = "can't connect";
    return;
  }
  const timeval patience{10, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string start = number(196608);
  for (const std::string& text : {std::string("user"), user, std::string("database"), user}) start += text + '\0';
  start += '\0';
  send(number(static_cast<uint32_t>(start.size() + 4)) + start);
  const auto asked = receive();
  if (!asked || asked->type != 'R' || number_at(asked->payload, 0) != 3) {
    error_ = "no password in clear text is asked for, but " +
             (asked ? std::string(1, asked->type) + asked->payload : std::string("nothing"));
    return;
  }
  send('p', password + '\0');
  open_ = true;
  open_ = wait_ready();
}

bool PgsqlClient::query(const std::string& statement) {
  if (!open_) return false;
  value_.reset();
  error_.clear();
  send('Q', statement + '\0');
  return wait_ready();
}

bool PgsqlClient::wait_ready() {
  bool good = true;
  for (;;) {
    const auto message = receive();
    if (!message) {
      open_ = false;
      if (error_.empty()) error_ = "the connection has gone";
      return false;
    }
    if (message->type == 'Z') return good;
    if (message->type == 'E') {
      good = false;
      for (size_t at = 0; at < message->payload.size() && message->payload[at] != '\0';) {
        const std::string field = message->payload.c_str() + at;
        if (field[0] == 'M') error_ = field.substr(1);
        at += field.size() + 1;
      }
    }
    if (message->type == 'D' && !value_ && message->payload.size() > 6) {
      value_ = message->payload.substr(6, number_at(message->payload, 2));
    }
  }
}

void PgsqlClient::send(const std::string& bytes) { ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }

void PgsqlClient::send(char type, const std::string& payload) {
  send(type + number(static_cast<uint32_t>(payload.size() + 4)) + payload);
}

std::optional<std::string> PgsqlClient::receive(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t got = 0; got < bytes;) {
    const ssize_t more = ::recv(fd_.get(), text.data() + got, bytes - got, 0);
    if (more <= 0) return std::nullopt;
    got += static_cast<size_t>(more);
  }
  return text;
}

std::optional<PgsqlClient::Message> PgsqlClient::receive() {
  const auto head = receive(5);
  if (!head) return std::nullopt;
  const uint32_t size = number_at(*head, 1);
  if (size < 4 || size > 1 << 24) return std::nullopt;
  auto payload = receive(size - 4);
  if (!payload) return std::nullopt;
  return Message{head->front(), std::move(*payload)};
}

}  // namespace pulse::test
