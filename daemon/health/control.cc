#include "daemon/health/control.h"

#include <arpa/inet.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "shm/status/status_json.h"
#include "src/base/file.h"
#include "src/base/log.h"
#include "src/linux/group.h"
#include "src/linux/peer_user.h"
#include "src/linux/socket_table.h"

namespace pulse {

namespace {

bool equal_in_constant_time(std::string_view given, std::string_view token) {
  unsigned different = given.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    different |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(token[i % token.size()]);
  }
  return different == 0;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// The token that the request carries, as "Authorization: Bearer TOKEN" or "X-Pulse-Token: TOKEN".
std::string_view token_of(const HttpRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view authorization = trimmed(request.header("authorization"));
  const bool bearer = authorization.size() > kScheme.size() &&
                      std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                                 [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  return bearer ? trimmed(authorization.substr(kScheme.size())) : trimmed(request.header("x-pulse-token"));
}

Result<std::string> first_line(const std::string& path) {
  const auto text = read_text_at_once(path, 4096);
  if (!text) return Error{"read " + text.error().text, text.error().code};
  std::string line(trimmed(std::string_view(*text).substr(0, text->find('\n'))));
  if (line.empty()) return Error{path + ": its first line is empty", ENODATA};
  return line;
}

}  // namespace

namespace {

constexpr milliseconds kAskKernel{100};

// Says so of itself: no other client sends these.
bool is_a_browsers(const HttpRequest& request) {
  const std::string_view site = trimmed(request.header("sec-fetch-site"));
  return !request.header("origin").empty() || !request.header("referer").empty() ||
         (!site.empty() && site != "same-origin" && site != "none");
}

bool is_an_address(std::string host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    return ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  }
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1;
}

// Whether a Host header names this host. Another name may be one that its owner lets lead here, so that a web page of
// his is allowed to read and write here (DNS rebinding).
bool names_this_host(std::string_view header, const std::vector<std::string>& own_names) {
  header = trimmed(header);
  if (header.empty()) return true;
  const size_t colon = header.rfind(':');
  const bool has_port = colon != std::string_view::npos && header.find(']', colon) == std::string_view::npos;
  std::string host(header.substr(0, has_port ? colon : header.size()));
  if (is_an_address(host)) return true;
  if (!host.empty() && host.back() == '.') host.pop_back();
  return std::any_of(own_names.begin(), own_names.end(), [&](const std::string& name) {
    return host.size() == name.size() && ::strncasecmp(host.data(), name.data(), name.size()) == 0;
  });
}

std::vector<std::string> names_of_this_host(const Config& config) {
  std::vector<std::string> names = {"localhost"};
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0') names.emplace_back(host.data());
  if (!config.address.empty()) names.push_back(config.address);
  return names;
}

}  // namespace

std::string why_refused(const HttpRequest& request, const ControlToken& token, const Caller& caller,
                        const std::vector<std::string>& own_names) {
  const std::string from = "it comes from " + request.remote_address;
  if (is_a_browsers(request)) return "it comes from a web page";
  if (token.wanted) {
    const std::string_view given = token_of(request);
    if (token.text.empty()) return "pulse.daemon.token_file can't be read, or is empty";
    if (given.empty()) return from + " without a token: Authorization: Bearer TOKEN, or X-Pulse-Token: TOKEN";
    return equal_in_constant_time(given, token.text) ? "" : "its token is not the one in pulse.daemon.token_file";
  }
  if (!caller.on_loopback) return from + ", and pulse.daemon.token_file isn't set";
  if (!names_this_host(request.header("host"), own_names)) {
    return "its Host is neither an address nor localhost nor this host's name";
  }
  if (!caller.trusted) {
    return from + ", " + caller.who +
           ": neither root nor ProxySQL's user nor this daemon's nor a member of pulse.group; or set "
           "pulse.daemon.token_file";
  }
  return "";
}

Caller find_caller(const HttpRequest& request, const Config& config) {
  const Deadline deadline = Deadline::after(kAskKernel);
  Caller caller;
  caller.on_loopback = is_plain_loopback(request.socket);
  if (!caller.on_loopback) return caller;
  const auto user = user_at_other_end(request.socket, deadline);
  if (!user) {
    caller.who = "of a user that isn't known: " + user.error().text;
    return caller;
  }
  caller.who = "user " + std::to_string(*user);
  caller.trusted = *user == 0 || *user == ::geteuid() || (config.group && is_in_group(*user, *config.group));
  if (caller.trusted) return caller;
  const std::pair<int64_t, const std::string&> ports[] = {{config.daemon.mysql_port, config.daemon.mysql_host},
                                                          {config.admin.port, config.admin.host}};
  for (const auto& [port, host] : ports) {
    const auto listening = read_listen_state(static_cast<uint16_t>(port), deadline, SocketSource::automatic, host);
    if (!listening) continue;
    const auto& users = listening->users;
    if (std::find(users.begin(), users.end(), *user) != users.end()) caller.trusted = true;
  }
  return caller;
}

Control::Control(const Config& config, NodeState& state, std::function<void(uint64_t, HttpResponse)> complete,
                 FindCaller find_caller)
    : config_(config),
      state_(state),
      complete_(std::move(complete)),
      find_caller_(std::move(find_caller)),
      own_names_(names_of_this_host(config)),
      job_(config, [this](const OneShotEnd& end) { on_end(end); }) {
  token_.wanted = !config.daemon.token_file.empty();
  tick();
}

void Control::tick() {
  if (config_.daemon.token_file.empty()) return;
  auto token = first_line(config_.daemon.token_file);
  const std::string problem = token ? "" : token.error().text;
  if (problem != token_problem_) {
    token_problem_ = problem;
    if (!problem.empty()) log_error(problem + ": control calls are refused");
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  token_.text = token ? std::move(*token) : "";
}

bool Control::is_control(const std::string& path) {
  return path == "/shutdown" || path == "/resync" || path == "/maintenance";
}

std::optional<HttpResponse> Control::handle(const HttpRequest& request) {
  ControlToken token;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    token = token_;
  }
  const Caller caller = token.wanted ? Caller{} : find_caller_(request, config_);
  const std::string refused = why_refused(request, token, caller, own_names_);
  if (!refused.empty()) return json_response(403, error_json(request.path + " is refused: " + refused));
  const bool is_shutdown = request.path == "/shutdown";
  if (request.is_head || (request.method != "POST" && !(is_shutdown && request.method == "GET"))) {
    const char* const allowed = is_shutdown ? "GET, POST" : "POST";
    HttpResponse answer = json_response(405, error_json(request.path + " takes " + allowed));
    answer.headers.push_back({"Allow", allowed});
    return answer;
  }
  if (request.path == "/resync") return ask_for_resync();
  if (request.path == "/maintenance") return set_maintenance(std::string(trimmed(request.body)));
  if (auto started = start_drain_for(request.token); !started)
    return json_response(500, error_json(started.error().text));
  return std::nullopt;
}

void Control::start_drain() {
  if (auto started = start_drain_for(std::nullopt); !started) log_error(started.error().text);
}

Result<void> Control::start_drain_for(std::optional<uint64_t> waiting) {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (!draining_) {
    state_.announce_drain();
    if (auto started = job_.start(); !started) {
      state_.drain_ended(false);
      return started;
    }
    draining_ = true;
  }
  if (waiting) waiting_.push_back(*waiting);
  return {};
}

bool Control::drain_runs() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (draining_) return true;
  }
  return state_.drain_runs();
}

void Control::on_end(const OneShotEnd& end) {
  const bool good = end.exit_code == 0;
  state_.drain_ended(good);
  if (!end.error.empty()) log_error(end.error);
  const std::string otherwise =
      good                ? "drained"
      : end.error.empty() ? "the drain failed with exit code " + std::to_string(end.exit_code) + "; the log says why"
                          : end.error;
  const HttpResponse answer = json_response(good ? 200 : 500, drain_answer(good, otherwise));
  // Who comes while this is being told gets the same answer.
  for (;;) {
    std::vector<uint64_t> waiting;
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      waiting.swap(waiting_);
      draining_ = !waiting.empty();
    }
    if (waiting.empty()) return;
    for (const uint64_t token : waiting) complete_(token, answer);
  }
}

std::string Control::drain_answer(bool good, const std::string& otherwise) {
  const NodeState::Snapshot now = state_.look();
  const DrainRecord& drain = now.view.drain;
  const bool told = now.view.draining_since_ns != 0 && drain.ended_ns >= now.view.draining_since_ns;
  return drain_json(now.input(config_), good,
                    told && !text(drain.message).empty() ? std::string(text(drain.message)) : otherwise);
}

HttpResponse Control::ask_for_resync() {
  if (!config_.is_satellite()) {
    return json_response(409,
                         error_json(std::string("resync is for satellites, and this is a ") + config_.role_name()));
  }
  const bool done =
      state_.with_layout([](Layout& layout) { layout.resync_requested.fetch_add(1, std::memory_order_relaxed); });
  if (!done) return json_response(503, error_json("there is no usable state segment to ask the beats by"));
  return json_response(202,
                       R"({"status":"ok","message":"the next beat puts proxysql_servers back to the file's entries"})");
}

HttpResponse Control::set_maintenance(const std::string& wanted) {
  if (wanted != "on" && wanted != "off") {
    return json_response(400, error_json("/maintenance takes a body of \"on\" or \"off\""));
  }
  const bool done = state_.with_layout([&](Layout& layout) { switch_maintenance(layout, wanted == "on"); });
  if (!done) return json_response(503, error_json("there is no usable state segment to keep it in"));
  log_info("maintenance was switched " + wanted);
  return json_response(200, R"({"status":"ok","message":"maintenance is )" + wanted + "\"}");
}

}  // namespace pulse
