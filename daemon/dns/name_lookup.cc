#include "daemon/dns/name_lookup.h"

#define CARES_NO_DEPRECATED  // what 1.34 has beside these calls, bookworm's 1.18 hasn't
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <strings.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>

#include "src/base/file.h"
#include "src/base/host_port.h"
#include "src/base/number.h"
#include "src/base/result.h"

namespace pulse {

namespace {

constexpr size_t kMostHosts = 1 << 20;
constexpr size_t kMostResolvConf = 64 * 1024;
// A datagram may be lost. c-ares, and the C library, wait five seconds before they ask again.
constexpr int kAskAgainMs = 700;
constexpr int kTries = 4;
// An answer over TCP has 64 KiB, an address in it 16 bytes.
constexpr size_t kMostAddresses = 4096;

struct ChannelCloser {
  void operator()(ares_channeldata* channel) const { ::ares_destroy(channel); }
};
using Channel = std::unique_ptr<ares_channeldata, ChannelCloser>;

// What was said to one question: the addresses of one name in one family.
struct Said {
  bool over = false;
  int status = ARES_SUCCESS;
  std::vector<unsigned char> message;
};

void take_message(void* to, int status, int /*timeouts*/, unsigned char* message, int length) {
  Said& said = *static_cast<Said*>(to);
  said.over = true;
  said.status = status;
  if (status != ARES_SUCCESS || length <= 0) return;
  try {
    said.message.assign(message, message + length);
  } catch (const std::bad_alloc&) {  // nothing may be thrown through the library
    said.status = ARES_ENOMEM;
  }
}

// Sends and receives until all questions are over.
void converse(ares_channeldata* channel, const Said& v4, const Said& v6, Deadline deadline, int stop_fd) {
  while (!v4.over || !v6.over) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int wanted = ::ares_getsock(channel, sockets.data(), static_cast<int>(sockets.size()));
    std::vector<pollfd> waits = {{stop_fd, POLLIN, 0}};
    for (unsigned i = 0; i < sockets.size(); ++i) {
      const int events = (ARES_GETSOCK_READABLE(wanted, i) ? POLLIN : 0) |
                         (ARES_GETSOCK_WRITABLE(static_cast<unsigned>(wanted), i) ? POLLOUT : 0);
      if (events != 0) waits.push_back({sockets[i], static_cast<short>(events), 0});
    }
    const int left_ms = deadline.poll_timeout_ms();
    timeval most{left_ms / 1000, left_ms % 1000 * 1000};
    timeval next{};
    const timeval* const wait = ::ares_timeout(channel, &most, &next);
    const int ready =
        ::poll(waits.data(), waits.size(), static_cast<int>(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1));
    const bool stopped = (ready < 0 && errno != EINTR) || (ready > 0 && waits[0].revents != 0);
    if (stopped || deadline.passed()) {
      ::ares_cancel(channel);  // ends all questions
      return;
    }
    bool any = false;
    for (size_t i = 1; ready > 0 && i < waits.size(); ++i) {
      const bool reads = (waits[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
      const bool writes = (waits[i].revents & POLLOUT) != 0;
      if (!reads && !writes) continue;
      any = true;
      ::ares_process_fd(channel, reads ? waits[i].fd : ARES_SOCKET_BAD, writes ? waits[i].fd : ARES_SOCKET_BAD);
    }
    if (!any) ::ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what is overdue is asked again
  }
}

std::string shown_address(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> shown{};
  return ::inet_ntop(family, address, shown.data(), shown.size()) == nullptr ? "" : shown.data();
}

// Adds the addresses of an answer; its status becomes that of the records in it.
template <class Record, class Parse>
void take_records(Said& said, int family, Parse parse, NameAnswer& answer) {
  if (said.status != ARES_SUCCESS) return;
  std::vector<Record> records(kMostAddresses);
  int count = static_cast<int>(records.size());
  said.status = parse(said.message.data(), static_cast<int>(said.message.size()), nullptr, records.data(), &count);
  if (said.status != ARES_SUCCESS) return;
  if (count == 0) said.status = ARES_ENODATA;
  records.resize(static_cast<size_t>(count));
  for (const Record& record : records) {
    const void* address = nullptr;
    if constexpr (requires { record.ipaddr; }) {
      address = &record.ipaddr;
    } else {
      address = &record.ip6addr;
    }
    answer.addresses.insert(shown_address(family, address));
    const std::chrono::seconds ttl{std::max(record.ttl, 0)};
    answer.ttl = answer.ttl ? std::min(*answer.ttl, ttl) : ttl;
  }
}

bool is_failure(int status) { return status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA; }

// An error is why there is none.
Result<Channel> open_channel(const LookupSources& sources) {
  std::string resolv_conf = sources.resolv_conf;
  ares_options options{};
  options.timeout = kAskAgainMs;
  options.tries = kTries;
  options.udp_port = options.tcp_port = sources.port;
  options.resolvconf_path = resolv_conf.data();
  constexpr int kGiven =
      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT | ARES_OPT_RESOLVCONF;
  ares_channeldata* made = nullptr;
  const int failed = ::ares_init_options(&made, &options, kGiven);
  if (failed != ARES_SUCCESS) return Error{::ares_strerror(failed)};
  return Channel(made);
}

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

SearchRules search_rules(std::string_view resolv_conf, std::string_view own_name) {
  SearchRules rules;
  while (!resolv_conf.empty()) {
    std::string_view line = take_line(resolv_conf);
    const std::string_view keyword = take_word(line);
    if (keyword == "search" || keyword == "domain") {
      rules.domains.clear();  // the last one counts
      for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
        rules.domains.emplace_back(word);
        if (keyword == "domain") break;
      }
    } else if (keyword == "options") {
      for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
        if (!word.starts_with("ndots:")) continue;
        if (const auto number = to_number<int>(word.substr(6))) rules.ndots = std::clamp(*number, 0, 15);
      }
    }
  }
  const size_t dot = own_name.find('.');
  if (rules.domains.empty() && dot != std::string_view::npos) rules.domains.emplace_back(own_name.substr(dot + 1));
  return rules;
}

std::vector<std::string> names_to_ask(const std::string& host, const SearchRules& rules) {
  if (host.empty() || host.back() == '.') return {host};
  std::vector<std::string> names;
  for (const std::string& domain : rules.domains) {
    const std::string_view plain(domain.data() + (domain.starts_with('.') ? 1 : 0));
    if (!plain.empty()) names.push_back(host + "." + std::string(plain));
  }
  const bool first = std::count(host.begin(), host.end(), '.') >= rules.ndots;
  names.insert(first ? names.begin() : names.end(), host);
  return names;
}

std::set<std::string> addresses_in_hosts(std::string_view text, std::string_view host) {
  std::set<std::string> addresses;
  if (host.ends_with('.')) host.remove_suffix(1);
  while (!text.empty()) {
    std::string_view line = take_line(text);
    line = line.substr(0, line.find('#'));
    const std::string address(take_word(line));
    for (std::string_view name = take_word(line); !name.empty(); name = take_word(line)) {
      if (name.size() != host.size() || ::strncasecmp(name.data(), host.data(), host.size()) != 0) continue;
      if (is_address(address)) addresses.insert(address);
    }
  }
  return addresses;
}

NameAnswer look_up(const std::string& host, Deadline deadline, int stop_fd, const LookupSources& sources) {
  NameAnswer answer;
  const auto failed = [&](const std::string& why) {
    answer.error = "look up " + host + ": " + why;
    return answer;
  };
  if (in_addr other_form{}; is_address(host)) {
    answer.addresses.insert(host);
  } else if (::inet_aton(host.c_str(), &other_form) != 0) {  // 0x7f000009, 127.9: as the C library and ProxySQL take it
    answer.addresses.insert(shown_address(AF_INET, &other_form));
  } else if (const auto hosts = read_text_at_once(sources.hosts, kMostHosts); hosts) {
    answer.addresses = addresses_in_hosts(*hosts, host);
  }
  if (!answer.addresses.empty()) {
    answer.kind = NameAnswer::Kind::addresses;
    return answer;
  }
  const auto channel = open_channel(sources);
  if (!channel) return failed(channel.error().text);
  const auto resolv_conf = read_text_at_once(sources.resolv_conf, kMostResolvConf);
  std::array<char, 256> own_name{};
  ::gethostname(own_name.data(), own_name.size() - 1);
  const SearchRules rules = search_rules(resolv_conf ? *resolv_conf : "", own_name.data());
  int unanswered = ARES_SUCCESS;
  bool exists = false;
  for (const std::string& name : names_to_ask(host, rules)) {
    Said v4, v6;
    ::ares_query(channel->get(), name.c_str(), ns_c_in, ns_t_a, take_message, &v4);
    ::ares_query(channel->get(), name.c_str(), ns_c_in, ns_t_aaaa, take_message, &v6);
    converse(channel->get(), v4, v6, deadline, stop_fd);
    take_records<ares_addrttl>(v4, AF_INET, ::ares_parse_a_reply, answer);
    take_records<ares_addr6ttl>(v6, AF_INET6, ::ares_parse_aaaa_reply, answer);
    if (!answer.addresses.empty()) {
      answer.kind = NameAnswer::Kind::addresses;
      answer.partial = is_failure(v4.status) || is_failure(v6.status);
      return answer;
    }
    for (const int status : {v4.status, v6.status}) {
      exists = exists || status == ARES_ENODATA;
      if (!is_failure(status)) continue;
      // Cancelled by us, or nobody answers: asking for more names is no use.
      if (status == ARES_ECANCELLED) return failed("no answer in time");
      if (status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED) return failed(::ares_strerror(status));
      unanswered = status;
    }
  }
  if (unanswered != ARES_SUCCESS) return failed(::ares_strerror(unanswered));
  if (exists) return failed("it has no address");
  answer.kind = NameAnswer::Kind::no_such_name;
  return failed(::ares_strerror(ARES_ENOTFOUND));
}

}  // namespace pulse
