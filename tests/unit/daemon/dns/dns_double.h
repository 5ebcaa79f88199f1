// A DNS server on a free port of 127.0.0.1 that answers as it is told, by UDP and TCP.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "src/base/unique_fd.h"
#include "tests/loopback.h"

namespace pulse::test {

class DnsDouble {
 public:
  struct Record {
    std::string address;
    uint32_t ttl = 30;
  };
  struct Answer {
    int rcode = 0;                  // 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
    std::vector<Record> records{};  // those of the family that is asked for are given
    bool truncated = false;         // by UDP
    int lost = 0;                   // so many questions get no answer; -1: all
    int rcode_v6 = -1;              // another one for AAAA
  };
  static constexpr int kNoSuchName = 3;

  DnsDouble() : stop_(::eventfd(0, EFD_CLOEXEC)) {
    for (int tries = 0; tries < 50; ++tries) {
      port_ = free_port();
      udp_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      tcp_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in at = loopback_address(port_);
      const auto* const to = reinterpret_cast<const sockaddr*>(&at);
      if (::bind(udp_.get(), to, sizeof at) == 0 && ::bind(tcp_.get(), to, sizeof at) == 0 &&
          ::listen(tcp_.get(), 8) == 0) {
        break;
      }
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~DnsDouble() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  DnsDouble(const DnsDouble&) = delete;
  DnsDouble& operator=(const DnsDouble&) = delete;

  uint16_t port() const { return port_; }
  // What isn't told of doesn't exist.
  void tell(const std::string& name, Answer answer) {
    const std::lock_guard<std::mutex> hold(mutex_);
    answers_[name] = std::move(answer);
  }
  // "udp A name", in the order asked.
  std::vector<std::string> asked() {
    const std::lock_guard<std::mutex> hold(mutex_);
    return asked_;
  }

 private:
  static constexpr uint16_t kA = 1, kAaaa = 28;

  void serve() {
    for (;;) {
      pollfd waits[] = {{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
      ::poll(waits, 3, -1);
      if (waits[0].revents != 0) return;
      if (waits[1].revents != 0) serve_udp();
      if (waits[2].revents != 0) serve_tcp();
    }
  }
  void serve_udp() {
    char question[512];
    sockaddr_in from{};
    socklen_t length = sizeof from;
    auto* const who = reinterpret_cast<sockaddr*>(&from);
    const ssize_t size = ::recvfrom(udp_.get(), question, sizeof question, 0, who, &length);
    if (size < 12) return;
    const std::string answer = answer_to({question, static_cast<size_t>(size)}, false);
    if (!answer.empty()) ::sendto(udp_.get(), answer.data(), answer.size(), 0, who, length);
  }
  // Both families may be asked on one connection.
  void serve_tcp() {
    const UniqueFd connection(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval patience{0, 300'000};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (;;) {
      unsigned char size[2];
      if (::recv(connection.get(), size, 2, MSG_WAITALL) != 2) return;
      std::string question(static_cast<size_t>(size[0] << 8 | size[1]), '\0');
      const auto wanted = static_cast<ssize_t>(question.size());
      if (::recv(connection.get(), question.data(), question.size(), MSG_WAITALL) != wanted) return;
      const std::string answer = answer_to(question, true);
      const std::string whole = number16(answer.size()) + answer;
      ::send(connection.get(), whole.data(), whole.size(), MSG_NOSIGNAL);
    }
  }

  static std::string number16(size_t value) {
    return {static_cast<char>(value >> 8 & 0xFF), static_cast<char>(value & 0xFF)};
  }
  static std::string rdata(const std::string& address, uint16_t type) {
    char bytes[16];
    if (::inet_pton(type == kA ? AF_INET : AF_INET6, address.c_str(), bytes) != 1) return "";
    return {bytes, type == kA ? 4u : 16u};
  }

  std::string answer_to(const std::string& question, bool tcp) {
    std::string name;
    size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const auto length = static_cast<size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += length + 1;
    }
    if (at + 5 > question.size()) return "";
    const auto type = static_cast<uint16_t>(static_cast<unsigned char>(question[at + 2]));
    const std::string asked = question.substr(12, at + 5 - 12);
    const std::lock_guard<std::mutex> hold(mutex_);
    asked_.push_back(std::string(tcp ? "tcp " : "udp ") + (type == kA ? "A " : "AAAA ") + name);
    const auto found = answers_.find(name);
    Answer told = found == answers_.end() ? Answer{.rcode = kNoSuchName} : found->second;
    if (told.lost != 0) {
      if (told.lost > 0) --found->second.lost;
      return "";
    }
    const bool cut = told.truncated && !tcp;
    std::string records;
    size_t count = 0;
    for (const Record& record : told.records) {
      const std::string data = rdata(record.address, type);
      if (data.empty() || cut) continue;
      records += std::string("\xC0\x0C", 2) + number16(type) + number16(1) + number16(record.ttl >> 16) +
                 number16(record.ttl & 0xFFFF) + number16(data.size()) + data;
      ++count;
    }
    const int rcode = type == kAaaa && told.rcode_v6 >= 0 ? told.rcode_v6 : told.rcode;
    const std::string flags = number16(0x8180u | (cut ? 0x0200u : 0u) | static_cast<unsigned>(rcode));
    return question.substr(0, 2) + flags + number16(1) + number16(count) + number16(0) + number16(0) + asked + records;
  }

  UniqueFd stop_, udp_, tcp_;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

}  // namespace pulse::test
