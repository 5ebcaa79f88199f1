#include "tests/proxysql-double/peer.h"

#include <sys/socket.h>

#include <cerrno>

#include "tests/proxysql-double/wire.h"

namespace proxysql_double {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{1000};

bool is_error(const std::string& payload) { return !payload.empty() && payload[0] == '\xFF'; }
bool is_end(const std::string& payload) { return payload.size() < 9 && !payload.empty() && payload[0] == '\xFE'; }

}  // namespace

pulse::Result<PeerConnection> PeerConnection::open(const Address& address, const std::string& user,
                                                   const std::string& password) {
  auto fd = connect_to(address, kConnectTimeout);
  if (!fd) return fd.error();
  PeerConnection peer(std::move(*fd));
  const auto first = peer.read_payload();
  if (!first) return first.error();
  const auto greeting = parse_greeting(*first);
  if (!greeting) return pulse::Error{"no greeting from " + address.host, 0};
  peer.send_payload(1, login_payload(user, password, greeting->salt));
  const auto answer = peer.read_payload();
  if (!answer) return answer.error();
  if (is_error(*answer)) return pulse::Error{parse_error_message(*answer), 1045};
  return peer;
}

pulse::Result<ResultSet> PeerConnection::query(const std::string& sql) {
  if (!send_payload(0, "\x03" + sql)) return pulse::Error{"Lost connection to server during query", 2013};
  auto payload = read_payload();
  if (!payload) return payload.error();
  if (is_error(*payload)) return pulse::Error{parse_error_message(*payload), 1045};
  ResultSet set;
  if (!payload->empty() && (*payload)[0] == '\0') return set;
  std::string_view rest = *payload;
  set.columns.resize(take_lenenc_int(rest));
  for (size_t i = 0; i <= set.columns.size(); ++i) {  // the definitions and the packet that ends them
    if (auto skipped = read_payload(); !skipped) return skipped.error();
  }
  while (true) {
    auto row = read_payload();
    if (!row) return row.error();
    if (is_error(*row)) return pulse::Error{parse_error_message(*row), 1045};
    if (is_end(*row)) return set;
    rest = *row;
    Row values;
    for (size_t i = 0; i < set.columns.size(); ++i) values.push_back(take_lenenc_value(rest));
    set.rows.push_back(std::move(values));
  }
}

pulse::Result<std::string> PeerConnection::read_payload() {
  while (true) {
    if (auto packet = take_packet(input_)) return std::move(packet->payload);
    char buffer[16384];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return pulse::system_error("read from peer", errno);
    if (got == 0) return pulse::Error{"Lost connection to server during query", 2013};
    input_.append(buffer, static_cast<size_t>(got));
  }
}

bool PeerConnection::send_payload(uint8_t sequence, const std::string& payload) {
  return send_all(fd_.get(), frame(sequence, payload));
}

}  // namespace proxysql_double
