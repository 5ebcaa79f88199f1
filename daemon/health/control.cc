#include "daemon/health/control.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "shm/status/status_json.h"
#include "src/base/file.h"
#include "src/base/log.h"

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

std::string why_refused(const HttpRequest& request, const std::string& token) {
  if (request.remote_is_loopback) return "";
  const std::string_view given = token_of(request);
  if (token.empty()) return "it comes from " + request.remote_address + ", and pulse.daemon.token_file isn't set";
  if (given.empty()) {
    return "it comes from " + request.remote_address +
           " without a token: Authorization: Bearer TOKEN, or X-Pulse-Token: TOKEN";
  }
  return equal_in_constant_time(given, token) ? "" : "its token is not the one in pulse.daemon.token_file";
}

Control::Control(const Config& config, NodeState& state, std::function<void(uint64_t, HttpResponse)> complete)
    : config_(config),
      state_(state),
      complete_(std::move(complete)),
      job_(config, [this](const OneShotEnd& end) { on_end(end); }) {
  tick();
}

void Control::tick() {
  if (config_.daemon.token_file.empty()) return;
  auto token = first_line(config_.daemon.token_file);
  const std::string problem = token ? "" : token.error().text;
  if (problem != token_problem_) {
    token_problem_ = problem;
    if (!problem.empty()) log_error(problem + ": control calls from elsewhere than loopback are refused");
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  token_ = token ? std::move(*token) : "";
}

bool Control::is_control(const std::string& path) {
  return path == "/shutdown" || path == "/resync" || path == "/maintenance";
}

std::optional<HttpResponse> Control::handle(const HttpRequest& request) {
  std::string refused;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    refused = why_refused(request, token_);
  }
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
  if (config_.is_core()) return json_response(409, error_json("resync is for satellites, and this is a core"));
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
