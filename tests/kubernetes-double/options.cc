#include "tests/kubernetes-double/options.h"

#include <charconv>
#include <map>

namespace kubernetes_double {
namespace {

bool parse_number(const std::string& text, uint64_t largest, uint64_t& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() && number <= largest;
}

}  // namespace

pulse::Result<Options> parse_options(int argc, char** argv) {
  Options options;
  uint64_t port = options.port, pod_bytes = options.pod_bytes, history = options.history;
  uint64_t bookmark_ms = static_cast<uint64_t>(options.bookmark_interval.count());
  const std::map<std::string, std::string*> texts = {
      {"--listen", &options.listen},        {"--port-file", &options.port_file},
      {"--account", &options.account},      {"--namespace", &options.service_namespace},
      {"--control", &options.control_path},
  };
  struct Number {
    uint64_t* value;
    uint64_t largest;
  };
  const std::map<std::string, Number> numbers = {{"--port", {&port, 65535}},
                                                 {"--pod-bytes", {&pod_bytes, 1 << 20}},
                                                 {"--history", {&history, 8000}},
                                                 {"--bookmark-ms", {&bookmark_ms, 3'600'000}}};
  const std::map<std::string, bool*> switches = {{"--expired-as-http", &options.expired_as_http},
                                                 {"--die-with-parent", &options.die_with_parent}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (const auto found = switches.find(name); found != switches.end()) {
      *found->second = true;
      continue;
    }
    const auto text = texts.find(name);
    const auto number = numbers.find(name);
    if (text == texts.end() && number == numbers.end()) return pulse::Error{name + ": unknown option", 1};
    if (i + 1 == argc) return pulse::Error{name + ": a value is missing", 1};
    const std::string value = argv[++i];
    if (text != texts.end()) *text->second = value;
    if (number != numbers.end() && !parse_number(value, number->second.largest, *number->second.value)) {
      return pulse::Error{name + ": a number up to " + std::to_string(number->second.largest) + " is wanted", 1};
    }
  }
  if (options.account.empty()) return pulse::Error{"--account: a directory is wanted", 1};
  options.port = static_cast<uint16_t>(port);
  options.pod_bytes = pod_bytes;
  options.history = history;
  options.bookmark_interval = std::chrono::milliseconds(bookmark_ms);
  return options;
}

}  // namespace kubernetes_double
