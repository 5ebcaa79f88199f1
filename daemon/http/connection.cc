#include "daemon/http/connection.h"

#include <arpa/inet.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pulse {

namespace {

bool is_loopback(const in6_addr& address) {
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::string address_text(const in6_addr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  }
  return text.data();
}

// clear() would keep the memory, in each of thousands of idle connections.
void give_back(std::string& buffer) { std::string().swap(buffer); }

}  // namespace

in6_addr address_of(const sockaddr_storage& from) {
  in6_addr address{};
  if (from.ss_family == AF_INET6) {
    std::memcpy(&address, &reinterpret_cast<const sockaddr_in6&>(from).sin6_addr, sizeof address);
  } else {
    address.s6_addr[10] = address.s6_addr[11] = 0xff;
    std::memcpy(&address.s6_addr[12], &reinterpret_cast<const sockaddr_in&>(from).sin_addr, 4);
  }
  return address;
}

Framing Connection::next_request(const RequestLimits& limits, RequestHead& head) {
  const size_t needed_before = frame.needed;
  const Framing framing = frame_request(in, limits, frame, head);
  if (framing == Framing::incomplete && frame.needed != needed_before && head.expects_continue && !head.http_1_0) {
    out += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return framing;
}

HttpRequest Connection::request(RequestHead& head) const {
  HttpRequest request;
  request.body = in.substr(frame.needed - head.content_length, head.content_length);
  request.headers = std::move(head.headers);
  sign(request);
  return request;
}

void Connection::sign(HttpRequest& request) const {
  request.remote_address = address_text(peer);
  request.remote_is_loopback = is_loopback(peer);
  request.socket = fd.get();
}

void Connection::forget_request() {
  in.erase(0, frame.needed);
  if (in.empty()) give_back(in);
  frame = {};
}

Connection::Sent Connection::send() {
  while (sent < out.size()) {
    const ssize_t count = ::send(fd.get(), out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      return Sent::blocked;
    } else if (errno != EINTR) {
      return Sent::failed;
    }
  }
  sent = 0;
  give_back(out);
  return Sent::all;
}

}  // namespace pulse
