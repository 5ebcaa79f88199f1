// Any text as ProxySQL's configuration file: accepted with values in their ranges, or refused with file and reason.
#include "src/config.h"

#include "tests/fuzz/fuzz.h"

using pulse::fuzz::expect;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto loaded = pulse::parse_config(text, "/fuzzed.cnf", {});
  if (!loaded) {
    expect(loaded.error().text.find("/fuzzed.cnf") != std::string::npos, "an error names the file");
    return 0;
  }
  const pulse::Config& config = loaded->config;
  using std::chrono::milliseconds;
  expect(config.role == "core" || config.role == "satellite", "the role is one of two");
  expect(!config.state.empty() && config.state.front() == '/', "the segment's path is absolute");
  expect(config.interval >= milliseconds(100) && config.timeout >= milliseconds(50), "times are in their ranges");
  expect(config.admin_port >= 0 && config.admin_port <= 65535, "the admin port is one, or 0 for a socket");
  expect(!config.admin_host.empty() && !config.admin_user.empty(), "who and where is known");
  for (const pulse::ServerEntry& entry : config.bootstrap) expect(!entry.hostname.empty(), "entries have a host");
  for (const pulse::Setting& setting : pulse::list_settings(*loaded)) {
    expect(!setting.key.empty() && !setting.source.empty(), "each setting says where it comes from");
  }
  return 0;
}
