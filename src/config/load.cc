#include "src/config/load.h"

#include "src/base/file.h"
#include "src/config/checks.h"
#include "src/config/draft.h"
#include "src/config/identity.h"
#include "src/config/proxysql_groups.h"
#include "src/config/salvage.h"

namespace pulse {

namespace {

// One load in progress: the values, and where each came from.
class Loader {
 public:
  explicit Loader(const std::string& path) {
    draft_.path = path;
    loaded_.config.file = path;
    loaded_.origins.resize(std::size(kKeys));
  }

  Result<LoadedConfig> run(const Cnf& file, const std::vector<Override>& overrides) {
    warn_of_includes(file);
    take_proxysql_groups(file.root(), draft_);
    if (auto read = read_pulse_group(file.root()); !read) return read.error();
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
  // ProxySQL looks for a relative name in its working directory alone, which may be another one than this process's.
  void warn_of_includes(const Cnf& file) {
    for (const CnfInclude& included : file.includes()) {
      if (!included.beside) continue;
      loaded_.warnings.push_back(included.path +
                                 ": ProxySQL looks for this included file in its working directory, not "
                                 "beside the file that includes it: write @include with an absolute path");
    }
  }

  Result<void> read_pulse_group(const CnfSetting& root) {
    const CnfSetting* group = root.find("pulse");
    if (group == nullptr) {
      if (!draft_.path.empty()) loaded_.warnings.push_back(draft_.path + " has no group pulse: all defaults");
      return {};
    }
    if (!group->is(CnfType::group)) return Error{group->at() + ": pulse: expected a group, pulse = { ... }"};
    return read_group(*group, "");
  }

  // There are as many levels as names of keys have, so this ends.
  Result<void> read_group(const CnfSetting& group, const std::string& prefix) {
    for (const CnfSetting& setting : CnfChildren(&group)) {
      const std::string name = prefix + std::string(setting.name);
      if (is_group_of_keys(name)) {
        if (!setting.is(CnfType::group)) {
          return Error{setting.at() + ": pulse." + name + ": expected a group, " + std::string(setting.name) +
                       " = { ... }"};
        }
        if (auto read = read_group(setting, name + "."); !read) return read;
        continue;
      }
      if (name == "jobs") {
        loaded_.jobs = read_jobs(setting);
        if (!loaded_.jobs) loaded_.warnings.push_back(loaded_.jobs.error().text + ": no job of the file is run");
        continue;
      }
      const Key* key = find_key(name);
      if (key == nullptr) {
        return Error{setting.at() + ": unknown key pulse." + name + "; allowed here: " + close_names(prefix)};
      }
      if (auto set = set_from_file(*key, setting); !set) return set;
    }
    return {};
  }

  Result<void> set_from_file(const Key& key, const CnfSetting& setting) {
    Value value;
    bool known = true;
    if (setting.is(CnfType::text)) {
      value = std::string(setting.text);
    } else if (setting.is_number()) {
      value = setting.number;
    } else if (setting.is(CnfType::boolean)) {
      value = setting.number != 0;
    } else if (setting.is(CnfType::array) || setting.is(CnfType::list)) {
      Texts texts;
      for (const CnfSetting& element : CnfChildren(&setting)) {
        known = known && element.is(CnfType::text);
        texts.emplace_back(element.text);
      }
      value = std::move(texts);
    } else {
      known = false;
    }
    if (!known) return Error{setting.at() + ": " + key.full_name() + ": allowed is " + key.allowed()};
    return set(key, value, draft_.origin_of(setting));
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
  const auto cnf = parse_cnf(text, path, rows);
  if (!cnf) return cnf.error();
  return Loader(path).run(*cnf, overrides);
}

Result<LoadedConfig> load_config(const std::string& path, const std::vector<Override>& overrides, Rows rows) {
  const auto cnf = read_cnf(path, rows);
  if (!cnf) return cnf.error();
  auto loaded = Loader(path).run(*cnf, overrides);
  if (loaded) {
    loaded->identity = cnf->identity();
    loaded->config.file_identity = identity_with_includes(cnf->identity(), cnf->includes());
  }
  return loaded;
}

Result<LoadedConfig> load_config_for_drain(const std::string& path, const std::vector<Override>& overrides) {
  auto loaded = load_config(path, overrides, Rows::first);
  if (loaded) return loaded;
  const auto text = read_text_at_once(path);
  if (!text) return loaded;
  const std::string groups = salvage_groups(*text);
  if (groups.empty()) return loaded;
  auto salvaged = parse_config(groups, path, overrides, Rows::first);
  if (!salvaged) return loaded;
  salvaged->salvage = loaded.error().text + "; its groups pulse and *_variables can be read, which is enough";
  return salvaged;
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
