#include "src/config/jobs.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <variant>

namespace pulse {

namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

// More of a list than any machine needs: it keeps a mistake from becoming a million rows.
constexpr uint32_t kMostJobs = 100;

struct JobKey {
  const char* name;
  std::variant<std::string Job::*, Texts Job::*, milliseconds Job::*, int64_t Job::*, bool Job::*,
               uint64_t OutputLimits::*>
      field;
  int64_t least = 0;
  int64_t most = 0;
};

constexpr JobKey kJobKeys[] = {
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

std::string allowed(const JobKey& key) {
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
bool set(Job& job, const JobKey& key, const CnfSetting& value) {
  if (const auto* field = std::get_if<bool Job::*>(&key.field)) {
    if (!value.is(CnfType::boolean)) return false;
    job.** field = value.number != 0;
    return true;
  }
  if (const auto* text_field = std::get_if<std::string Job::*>(&key.field)) {
    if (!value.is(CnfType::text)) return false;
    job.** text_field = value.text;
    return true;
  }
  if (const auto* texts_field = std::get_if<Texts Job::*>(&key.field)) {
    if (!value.is(CnfType::array) && !value.is(CnfType::list)) return false;
    Texts texts;
    for (const CnfSetting& element : CnfChildren(&value)) {
      if (!element.is(CnfType::text)) return false;
      texts.emplace_back(element.text);
    }
    job.** texts_field = std::move(texts);
    return true;
  }
  if (!value.is_number()) return false;
  const int64_t number = value.number;
  if (number < key.least || number > key.most) return false;
  if (const auto* span = std::get_if<milliseconds Job::*>(&key.field)) job.** span = milliseconds(number);
  if (const auto* plain = std::get_if<int64_t Job::*>(&key.field)) job.** plain = number;
  if (const auto* limit = std::get_if<uint64_t OutputLimits::*>(&key.field)) {
    job.output.** limit = static_cast<uint64_t>(number);
  }
  return true;
}

const JobKey* find_job_key(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kJobKeys), std::end(kJobKeys), [&](const JobKey& key) { return name == key.name; });
  return found == std::end(kJobKeys) ? nullptr : found;
}

std::string key_names() {
  std::string names;
  for (const JobKey& key : kJobKeys) names += (names.empty() ? "" : ", ") + std::string(key.name);
  return names;
}

// What a key's type and range don't say.
bool holds(const Job& job, const JobKey& key) {
  if (std::strcmp(key.name, "name") == 0) return is_job_name(job.name);
  if (std::strcmp(key.name, "command") == 0) return !job.command.empty() && !job.command.front().empty();
  if (std::strcmp(key.name, "directory") == 0) return job.directory.starts_with('/');
  if (std::strcmp(key.name, "environment") == 0) {
    return std::all_of(job.environment.begin(), job.environment.end(), is_variable);
  }
  return true;
}

Result<Job> read_job(const CnfSetting& group) {
  if (!group.is(CnfType::group)) {
    return Error{group.at() + ": pulse.jobs: expected a group, { name = \"a\"  command = [\"/usr/bin/a\"] }"};
  }
  Job job;
  job.line = group.line;
  for (const CnfSetting& value : CnfChildren(&group)) {
    const JobKey* key = find_job_key(value.name);
    if (key == nullptr) {
      return Error{value.at() + ": unknown key pulse.jobs." + std::string(value.name) +
                   "; allowed here: " + key_names()};
    }
    if (!set(job, *key, value) || !holds(job, *key)) {
      return Error{value.at() + ": pulse.jobs." + key->name + ": allowed is " + allowed(*key)};
    }
  }
  if (job.name.empty()) return Error{group.at() + ": pulse.jobs: name is missing: allowed is " + allowed(kJobKeys[0])};
  if (job.command.empty()) {
    return Error{group.at() + ": pulse.jobs: command of \"" + job.name + "\" is missing: allowed is " +
                 allowed(kJobKeys[1])};
  }
  const CnfSetting* grace = group.find("grace_ms");
  if (grace == nullptr) job.grace = default_grace(job.timeout);
  if (job.grace > job.timeout / 2) {
    return Error{(grace == nullptr ? group : *grace).at() +
                 ": pulse.jobs.grace_ms: allowed is half of the job's timeout_ms at most, " +
                 std::to_string(job.timeout.count() / 2)};
  }
  return job;
}

// As the file has it, on one line.
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

Result<std::vector<Job>> read_jobs(const CnfSetting& setting) {
  if (!setting.is(CnfType::list)) {
    return Error{setting.at() + ": pulse.jobs: expected a list of groups, jobs = ( { name = \"a\" ... }, ... )"};
  }
  if (setting.length > kMostJobs) {
    return Error{setting.at() + ": pulse.jobs has " + std::to_string(setting.length) + " jobs: allowed are " +
                 std::to_string(kMostJobs)};
  }
  std::vector<Job> jobs;
  for (const CnfSetting& group : CnfChildren(&setting)) {
    auto job = read_job(group);
    if (!job) return job.error();
    const auto same = std::find_if(jobs.begin(), jobs.end(), [&](const Job& other) { return other.name == job->name; });
    if (same != jobs.end()) {
      return Error{group.at() + ": pulse.jobs: there is a job \"" + job->name + "\" already, in line " +
                   std::to_string(same->line)};
    }
    jobs.push_back(std::move(*job));
  }
  return jobs;
}

std::string describe(const Job& job) {
  std::string shown = "{ ";
  for (const JobKey& key : kJobKeys) {
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
