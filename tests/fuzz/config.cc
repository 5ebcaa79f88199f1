// Any text as ProxySQL's configuration file: accepted with values in their ranges, or refused with file and reason.
#include <set>

#include "src/config/jobs.h"
#include "src/config/load.h"
#include "tests/fuzz/fuzz.h"

using pulse::fuzz::expect;

// With fewer rows of ProxySQL's tables.
static void expect_same(const pulse::LoadedConfig& all, const pulse::Result<pulse::LoadedConfig>& first) {
  expect(bool(first), "what is right with all rows is right with few");
  const auto shown = [](const pulse::LoadedConfig& loaded) {
    std::string text;
    for (const pulse::Setting& setting : pulse::list_settings(loaded)) {
      text += setting.key + "=" + setting.value + " " + setting.source + "\n";
    }
    for (const pulse::ServerEntry& entry : loaded.config.bootstrap) {
      text += entry.hostname + " " + std::to_string(entry.port) + " " + entry.comment + "\n";
    }
    for (const std::string& group : loaded.config.file_groups) text += group + "\n";
    for (const std::string& warning : loaded.warnings) text += warning + "\n";
    if (!loaded.jobs) return text + loaded.jobs.error().text;
    for (const pulse::Job& job : *loaded.jobs) text += pulse::describe(job) + "\n";
    return text;
  };
  expect(shown(all) == shown(*first), "and the same");
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto loaded = pulse::parse_config(text, "/fuzzed.cnf", {});
  if (loaded) expect_same(*loaded, pulse::parse_config(text, "/fuzzed.cnf", {}, pulse::Rows::first));
  if (!loaded) {
    expect(loaded.error().text.find("/fuzzed.cnf") != std::string::npos, "an error names the file");
    return 0;
  }
  if (!loaded->jobs) {
    const std::string& error = loaded->jobs.error().text;
    expect(error.find("/fuzzed.cnf:") == 0 && error.find("pulse.jobs") != std::string::npos, "so does one in a job");
  } else {
    std::set<std::string> names;
    for (const pulse::Job& job : *loaded->jobs) {
      expect(pulse::is_job_name(job.name) && names.insert(job.name).second, "a job has a name of its own");
      expect(!job.command.empty() && !job.command.front().empty(), "a job has a command");
      expect(job.timeout >= pulse::kShortestJob && job.timeout <= pulse::kLongestJob, "a job has an end");
      expect(job.grace.count() >= 0 && job.grace * 2 <= job.timeout, "its grace is in its time");
      expect(!job.directory.empty() && job.directory.front() == '/', "its directory is absolute");
      expect(job.nice >= 0 && job.memory_mb >= 0 && job.cpu_s >= 0, "its limits are in their ranges");
      for (const std::string& variable : job.environment) {
        expect(variable.find('=') != std::string::npos && variable.front() != '=', "a variable has a name");
      }
      expect(pulse::describe(job).find('\n') == std::string::npos, "it is shown on one line");
    }
  }
  const pulse::Config& config = loaded->config;
  using std::chrono::milliseconds;
  expect(config.role == pulse::Role::core || config.role == pulse::Role::satellite, "the role is one of two");
  expect(!config.state.empty() && config.state.front() == '/', "the segment's path is absolute");
  expect(config.beat.interval >= milliseconds(100) && config.beat.timeout >= milliseconds(50),
         "times are in their ranges");
  expect(config.admin.port >= 0 && config.admin.port <= 65535, "the admin port is one, or 0 for a socket");
  expect(!config.admin.host.empty() && !config.admin.user.empty(), "who and where is known");
  for (const pulse::ServerEntry& entry : config.bootstrap) expect(!entry.hostname.empty(), "entries have a host");
  for (const pulse::Setting& setting : pulse::list_settings(*loaded)) {
    expect(!setting.key.empty() && !setting.source.empty(), "each setting says where it comes from");
  }
  return 0;
}
