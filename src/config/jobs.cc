#include "src/config/jobs.h"

#include <libconfig.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <variant>

namespace pulse {

namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

// More of a list than any machine needs: it keeps a mistake from becoming a million rows.
constexpr int kMostJobs = 100;

struct Key {
  const char* name;
  std::variant<std::string Job::*, Texts Job::*, milliseconds Job::*, int64_t Job::*, bool Job::*,
               uint64_t OutputLimits::*>
      field;
  int64_t least = 0;
  int64_t most = 0;
};

constexpr Key kKeys[] = {
    {"name", &Job::name},
    {"command", &Job::command},
    {"timeout_ms", &Job::timeout, kShortestJob.count(), kLongestJob.count()},
    {"grace_ms", &Job::grace, 0, 600'000},
    {"leader_only", &Job::leader_only},
    {"environment", &Job::environment},
    {"directory", &Job::directory},
    {"output_bytes", &OutputLimits::bytes, 0, 1'000'000},
    {"output_lines", &OutputLimits::lines, 0, 10'000},
    {"memory_mb", &Job::memory_mb, 0, 1'048'576},
    {"cpu_s", &Job::cpu_s, 0, 86'400},
    {"open_files", &Job::open_files, 0, 1'048'576},
    {"file_mb", &Job::file_mb, 0, 1'048'576},
    {"processes", &Job::processes, 0, 1'048'576},
    {"nice", &Job::nice, 0, 19},
};

std::string allowed(const Key& key) {
  if (std::strcmp(key.name, "name") == 0) return kJobNames;
  if (std::strcmp(key.name, "command") == 0) {
    return "a list of texts, the program first, with its path: [\"/usr/bin/program\", \"argument\"]";
  }
  if (std::strcmp(key.name, "environment") == 0) return "a list of NAME=VALUE, like [\"TZ=UTC\"]";
  if (std::strcmp(key.name, "directory") == 0) return "an absolute path";
  if (std::holds_alternative<bool Job::*>(key.field)) return "true or false";
  return "a whole number from " + std::to_string(key.least) + " to " + std::to_string(key.most);
}

bool is_variable(const std::string& text) {
  const size_t equals = text.find('=');
  return equals != std::string::npos && equals != 0;
}

// False if the value isn't of the key's type, or out of its range.
bool set(Job& job, const Key& key, const config_setting_t* value) {
  const int type = config_setting_type(value);
  if (const auto* field = std::get_if<bool Job::*>(&key.field)) {
    if (type != CONFIG_TYPE_BOOL) return false;
    job.** field = config_setting_get_bool(value) == CONFIG_TRUE;
    return true;
  }
  if (const auto* text_field = std::get_if<std::string Job::*>(&key.field)) {
    if (type != CONFIG_TYPE_STRING) return false;
    job.** text_field = config_setting_get_string(value);
    return true;
  }
  if (const auto* texts_field = std::get_if<Texts Job::*>(&key.field)) {
    if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) return false;
    Texts texts;
    for (int i = 0; i < config_setting_length(value); ++i) {
      const char* text = config_setting_get_string_elem(value, i);
      if (text == nullptr) return false;
      texts.emplace_back(text);
    }
    job.** texts_field = std::move(texts);
    return true;
  }
  if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) return false;
  const int64_t number = config_setting_get_int64(value);
  if (number < key.least || number > key.most) return false;
  if (const auto* span = std::get_if<milliseconds Job::*>(&key.field)) job.** span = milliseconds(number);
  if (const auto* plain = std::get_if<int64_t Job::*>(&key.field)) job.** plain = number;
  if (const auto* limit = std::get_if<uint64_t OutputLimits::*>(&key.field)) {
    job.output.** limit = static_cast<uint64_t>(number);
  }
  return true;
}

const Key* find_key(const char* name) {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const Key& key) { return std::strcmp(key.name, name) == 0; });
  return found == std::end(kKeys) ? nullptr : found;
}

std::string key_names() {
  std::string names;
  for (const Key& key : kKeys) names += (names.empty() ? "" : ", ") + std::string(key.name);
  return names;
}

class JobsReader {
 public:
  explicit JobsReader(const std::string& path) : path_(path) {}

  Result<std::vector<Job>> read(const config_setting_t* list) {
    if (config_setting_type(list) != CONFIG_TYPE_LIST) {
      return Error{at(list) + ": pulse.jobs: expected a list of groups, jobs = ( { name = \"a\" ... }, ... )"};
    }
    const int count = config_setting_length(list);
    if (count > kMostJobs) {
      return Error{at(list) + ": pulse.jobs has " + std::to_string(count) + " jobs: allowed are " +
                   std::to_string(kMostJobs)};
    }
    std::vector<Job> jobs;
    for (int i = 0; i < count; ++i) {
      const config_setting_t* group = config_setting_get_elem(list, static_cast<unsigned>(i));
      auto job = read_job(group);
      if (!job) return job.error();
      const auto same =
          std::find_if(jobs.begin(), jobs.end(), [&](const Job& other) { return other.name == job->name; });
      if (same != jobs.end()) {
        return Error{at(group) + ": pulse.jobs: there is a job \"" + job->name + "\" already, in line " +
                     std::to_string(same->line)};
      }
      jobs.push_back(std::move(*job));
    }
    return jobs;
  }

 private:
  std::string at(const config_setting_t* setting) const {
    return path_ + ":" + std::to_string(config_setting_source_line(setting));
  }

  Result<Job> read_job(const config_setting_t* group) {
    if (config_setting_is_group(group) == CONFIG_FALSE) {
      return Error{at(group) + ": pulse.jobs: expected a group, { name = \"a\"  command = [\"/usr/bin/a\"] }"};
    }
    Job job;
    job.line = static_cast<int>(config_setting_source_line(group));
    for (int i = 0; i < config_setting_length(group); ++i) {
      const config_setting_t* value = config_setting_get_elem(group, static_cast<unsigned>(i));
      const Key* key = find_key(config_setting_name(value));
      if (key == nullptr) {
        return Error{at(value) + ": unknown key pulse.jobs." + config_setting_name(value) +
                     "; allowed here: " + key_names()};
      }
      if (!set(job, *key, value) || !holds(job, *key)) {
        return Error{at(value) + ": pulse.jobs." + key->name + ": allowed is " + allowed(*key)};
      }
    }
    if (job.name.empty()) return Error{at(group) + ": pulse.jobs: name is missing: allowed is " + allowed(kKeys[0])};
    if (job.command.empty()) {
      return Error{at(group) + ": pulse.jobs: command of \"" + job.name + "\" is missing: allowed is " +
                   allowed(kKeys[1])};
    }
    const bool grace_said = config_setting_get_member(group, "grace_ms") != nullptr;
    if (!grace_said) job.grace = default_grace(job.timeout);
    if (job.grace > job.timeout / 2) {
      return Error{at(config_setting_get_member(group, "grace_ms")) +
                   ": pulse.jobs.grace_ms: allowed is half of the job's timeout_ms at most, " +
                   std::to_string(job.timeout.count() / 2)};
    }
    return job;
  }

  // What a key's type and range don't say.
  static bool holds(const Job& job, const Key& key) {
    if (std::strcmp(key.name, "name") == 0) return is_job_name(job.name);
    if (std::strcmp(key.name, "command") == 0) return !job.command.empty() && !job.command.front().empty();
    if (std::strcmp(key.name, "directory") == 0) return job.directory.starts_with('/');
    if (std::strcmp(key.name, "environment") == 0) {
      return std::all_of(job.environment.begin(), job.environment.end(), is_variable);
    }
    return true;
  }

  const std::string& path_;
};

// As libconfig reads it, on one line.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= ' ' && byte != 0x7F) {
      out += c;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02X", byte);
      out += escaped;
    }
  }
  return out + "\"";
}

}  // namespace

bool is_job_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

milliseconds default_grace(milliseconds timeout) { return std::min<milliseconds>(timeout / 4, milliseconds(2000)); }

Result<std::vector<Job>> read_jobs(const config_setting_t* setting, const std::string& path) {
  return JobsReader(path).read(setting);
}

std::string describe(const Job& job) {
  std::string shown = "{ ";
  for (const Key& key : kKeys) {
    std::string value;
    if (const auto* text = std::get_if<std::string Job::*>(&key.field)) value = quoted(job.**text);
    if (const auto* flag = std::get_if<bool Job::*>(&key.field)) value = job.**flag ? "true" : "false";
    if (const auto* span = std::get_if<milliseconds Job::*>(&key.field)) value = std::to_string((job.**span).count());
    if (const auto* number = std::get_if<int64_t Job::*>(&key.field)) value = std::to_string(job.**number);
    if (const auto* limit = std::get_if<uint64_t OutputLimits::*>(&key.field))
      value = std::to_string(job.output.**limit);
    if (const auto* texts = std::get_if<Texts Job::*>(&key.field)) {
      const bool secret = std::strcmp(key.name, "environment") == 0;
      for (const std::string& text : job.**texts) {
        value += (value.empty() ? "[" : ", ") + quoted(secret ? text.substr(0, text.find('=')) + "=(hidden)" : text);
      }
      value += value.empty() ? "[]" : "]";
    }
    shown += std::string(key.name) + "=" + value + "; ";
  }
  return shown + "}";
}

}  // namespace pulse
