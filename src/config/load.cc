#include "src/config/load.h"

#include <fcntl.h>
#include <libconfig.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "src/base/file.h"
#include "src/base/unique_fd.h"
#include "src/config/checks.h"
#include "src/config/cnf_text.h"
#include "src/config/draft.h"
#include "src/config/identity.h"
#include "src/config/proxysql_groups.h"

namespace pulse {

namespace {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
}

// One load in progress: the values, and where each came from.
class Loader {
 public:
  explicit Loader(const std::string& path) {
    draft_.path = path;
    loaded_.config.file = path;
    loaded_.origins.resize(std::size(kKeys));
  }

  Result<LoadedConfig> run(const config_t& file, const std::vector<Override>& overrides) {
    config_setting_t* root = config_root_setting(&file);
    if (auto taken = take_proxysql_groups(root, draft_); !taken) return taken.error();
    if (auto read = read_pulse_group(root); !read) return read.error();
    for (const Override& over : overrides) {
      const Key* key = find_key(over.key);
      if (key == nullptr) return Error{over.source + ": there is no key pulse." + over.key};
      auto taken = set(*key, read_override(*key, over.value), {0, over.source});
      if (!taken) return taken.error();
    }
    if (auto finished = finish(draft_); !finished) return finished.error();
    return std::move(loaded_);
  }

 private:
  std::string at(const config_setting_t* setting) const { return describe(origin_of(setting), draft_.path); }

  static Origin origin_of(const config_setting_t* setting) {
    return {static_cast<int>(config_setting_source_line(setting)), ""};
  }

  Result<void> read_pulse_group(config_setting_t* root) {
    config_setting_t* group = config_setting_get_member(root, "pulse");
    if (group == nullptr) {
      if (!draft_.path.empty()) loaded_.warnings.push_back(draft_.path + " has no group pulse: all defaults");
      return {};
    }
    if (config_setting_is_group(group) == CONFIG_FALSE) {
      return Error{at(group) + ": pulse: expected a group, pulse = { ... }"};
    }
    return read_group(group, "");
  }

  Result<void> read_group(config_setting_t* group, const std::string& prefix) {
    const int count = config_setting_length(group);
    for (int i = 0; i < count; ++i) {
      config_setting_t* setting = config_setting_get_elem(group, static_cast<unsigned>(i));
      const std::string name = prefix + config_setting_name(setting);
      if (is_group_of_keys(name)) {
        if (config_setting_is_group(setting) == CONFIG_FALSE) {
          return Error{at(setting) + ": pulse." + name + ": expected a group, " + config_setting_name(setting) +
                       " = { ... }"};
        }
        if (auto read = read_group(setting, name + "."); !read) return read;
        continue;
      }
      if (name == "jobs") {
        loaded_.jobs = read_jobs(setting, draft_.path);
        if (!loaded_.jobs) loaded_.warnings.push_back(loaded_.jobs.error().text + ": no job of the file is run");
        continue;
      }
      const Key* key = find_key(name);
      if (key == nullptr) {
        return Error{at(setting) + ": unknown key pulse." + name + "; allowed here: " + close_names(prefix)};
      }
      if (auto set = set_from_file(*key, setting); !set) return set;
    }
    return {};
  }

  Result<void> set_from_file(const Key& key, config_setting_t* setting) {
    Value value;
    switch (config_setting_type(setting)) {
      case CONFIG_TYPE_STRING:
        value = std::string(config_setting_get_string(setting));
        break;
      case CONFIG_TYPE_INT:
      case CONFIG_TYPE_INT64:
        value = static_cast<int64_t>(config_setting_get_int64(setting));
        break;
      case CONFIG_TYPE_BOOL:
        value = config_setting_get_bool(setting) == CONFIG_TRUE;
        break;
      case CONFIG_TYPE_ARRAY:
      case CONFIG_TYPE_LIST: {
        Texts texts;
        for (int i = 0; i < config_setting_length(setting); ++i) {
          const char* text = config_setting_get_string_elem(setting, i);
          if (text == nullptr) {
            return Error{at(setting) + ": " + key.full_name() + ": allowed is " + key.allowed()};
          }
          texts.push_back(text);
        }
        value = std::move(texts);
        break;
      }
      default:
        return Error{at(setting) + ": " + key.full_name() + ": allowed is " + key.allowed()};
    }
    return set(key, value, origin_of(setting));
  }

  Result<void> set(const Key& key, const Value& value, Origin origin) {
    if (!assign(key, value, loaded_.config)) {
      return Error{describe(origin, draft_.path) + ": " + key.full_name() + " = " +
                   (key.secrecy == Secrecy::secret ? "(hidden)" : show(value)) + ": allowed is " + key.allowed()};
    }
    loaded_.origins[index_of(key)] = std::move(origin);
    draft_.said.set(index_of(key));
    return {};
  }

  Draft draft_;
  LoadedConfig& loaded_ = draft_.loaded;
};

}  // namespace

Result<LoadedConfig> parse_config(const std::string& text, const std::string& path,
                                  const std::vector<Override>& overrides, Rows rows) {
  config_t file;
  config_init(&file);
  const std::unique_ptr<config_t, void (*)(config_t*)> owner(&file, config_destroy);
  const std::string directory = directory_of(path);
  if (!directory.empty()) config_set_include_dir(&file, directory.c_str());
  if (text.find('\0') != std::string::npos) return Error{path + ": holds a zero byte: not a configuration file"};
  const std::string wanted = without_trailing_commas(rows == Rows::first ? with_first_rows(text) : text);
  if (config_read_string(&file, wanted.c_str()) != CONFIG_TRUE) {
    const char* name = config_error_file(&file);
    return Error{(name == nullptr ? path : std::string(name)) + ":" + std::to_string(config_error_line(&file)) + ": " +
                 config_error_text(&file)};
  }
  return Loader(path).run(file, overrides);
}

Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides, Rows rows) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat file {};
  if (!fd || ::fstat(fd.get(), &file) != 0) return system_error(path, errno);
  if (!S_ISREG(file.st_mode)) return Error{path + ": not a regular file"};
  if (file.st_size > static_cast<off_t>(kMostBytes)) {
    return Error{path + ": larger than 16 MiB: not a configuration file"};
  }
  std::string text(static_cast<size_t>(file.st_size), '\0');
  const ssize_t length = read_into(fd.get(), text);
  if (length < 0) return system_error(path, errno);
  text.resize(static_cast<size_t>(length));
  auto loaded = parse_config(text, path, overrides, rows);
  if (loaded) {
    loaded->identity = identity_of(file, path);
    loaded->config.file_identity = identity_with_includes(loaded->identity, text, directory_of(path));
  }
  return loaded;
}

std::vector<Setting> list_settings(const LoadedConfig& loaded) {
  std::vector<Setting> settings;
  Config config = loaded.config;  // a field gives a reference that could be written through
  for (const Key& key : kKeys) {
    const std::string shown = key.secrecy == Secrecy::secret ? "(hidden)" : show(value_of(key, config));
    settings.push_back({key.full_name(), shown, describe(loaded.origins[index_of(key)], loaded.config.file)});
  }
  return settings;
}

}  // namespace pulse
