#include "src/config/keys.h"

#include <algorithm>
#include <cstring>

#include "src/base/number.h"

namespace pulse {

namespace {

std::string environment_name(std::string_view key) {
  std::string name = "PULSE_";
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string show_choices(std::span<const char* const> choices) {
  std::string text;
  for (const char* choice : choices) text += (text.empty() ? "\"" : " or \"") + std::string(choice) + "\"";
  return text;
}

}  // namespace

bool Key::is_choice(std::string_view text) const {
  return choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end();
}

std::string Key::allowed() const {
  if (const auto* word = std::get_if<WordField>(&field)) return show_choices(word->words);
  if (std::holds_alternative<TextsField>(field)) {
    return choices.empty() ? "a list of texts, like [\"a\", \"b\"]"
                           : "a list of " + show_choices(choices) + ", like [\"" + choices.front() + "\"]";
  }
  if (std::holds_alternative<FlagField>(field)) return "true or false";
  if (std::holds_alternative<TextField>(field)) return "a text in double quotes";
  return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

const Key* find_key(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& key) { return name == key.name; });
  return found == std::end(kKeys) ? nullptr : found;
}

bool is_group_of_keys(std::string_view name) {
  return std::any_of(std::begin(kKeys), std::end(kKeys), [&](const Key& key) {
    return key.name.size() > name.size() && key.name[name.size()] == '.' && key.name.starts_with(name);
  });
}

std::string close_names(const std::string& prefix) {
  std::string names;
  for (const Key& key : kKeys) {
    const std::string name(key.name);
    if (name.rfind(prefix, 0) != 0) continue;
    const std::string rest = name.substr(prefix.size());
    const std::string shown = rest.substr(0, rest.find('.'));
    if ((", " + names + ",").find(", " + shown + ",") == std::string::npos) {
      names += (names.empty() ? "" : ", ") + shown;
    }
  }
  return prefix.empty() ? names + ", jobs" : names;
}

std::string show(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return "\"" + *text + "\"";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  std::string shown;
  for (const std::string& text : std::get<Texts>(value)) shown += (shown.empty() ? "\"" : ", \"") + text + "\"";
  return "[" + shown + "]";
}

Value value_of(const Key& key, Config& config) {
  if (const auto* text = std::get_if<TextField>(&key.field)) return (*text)(config);
  if (const auto* span = std::get_if<SpanField>(&key.field)) return int64_t{(*span)(config).count()};
  if (const auto* number = std::get_if<NumberField>(&key.field)) return (*number)(config);
  if (const auto* flag = std::get_if<FlagField>(&key.field)) return (*flag)(config);
  if (const auto* texts = std::get_if<TextsField>(&key.field)) return (*texts)(config);
  const auto& word = std::get<WordField>(key.field);
  const size_t place = word.get(config);
  return std::string(place < word.words.size() ? word.words[place] : "");
}

bool assign(const Key& key, const Value& value, Config& config) {
  if (const auto* flag_field = std::get_if<FlagField>(&key.field)) {
    const auto* flag = std::get_if<bool>(&value);
    if (flag != nullptr) (*flag_field)(config) = *flag;
    return flag != nullptr;
  }
  if (const auto* texts_field = std::get_if<TextsField>(&key.field)) {
    const auto* texts = std::get_if<Texts>(&value);
    const auto is_good = [&](const std::string& text) { return !text.empty() && key.is_choice(text); };
    if (texts == nullptr || !std::all_of(texts->begin(), texts->end(), is_good)) return false;
    (*texts_field)(config) = *texts;
    return true;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (const auto* text_field = std::get_if<TextField>(&key.field)) {
      (*text_field)(config) = *text;
      return true;
    }
    const auto* word = std::get_if<WordField>(&key.field);
    if (word == nullptr) return false;
    const auto found = std::find(word->words.begin(), word->words.end(), *text);
    if (found == word->words.end()) return false;
    word->set(config, static_cast<size_t>(found - word->words.begin()));
    return true;
  }
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < key.least || *number > key.most) return false;
  if (const auto* span = std::get_if<SpanField>(&key.field)) {
    (*span)(config) = std::chrono::milliseconds(*number);
    return true;
  }
  const auto* plain = std::get_if<NumberField>(&key.field);
  if (plain != nullptr) (*plain)(config) = *number;
  return plain != nullptr;
}

std::string describe(const Origin& origin, const std::string& path) {
  if (origin.line > 0) return path + ":" + std::to_string(origin.line);
  return origin.text.empty() ? "default" : origin.text;
}

std::vector<Override> overrides_from_environment(const char* const* environment) {
  std::vector<Override> overrides;
  if (environment == nullptr) return overrides;
  for (; *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, "PULSE_", 6) != 0) continue;
    const std::string entry = *environment;
    const size_t equals = entry.find('=');
    for (const Key& key : kKeys) {
      const std::string name = environment_name(key.name);
      if (equals != std::string::npos && entry.substr(0, equals) == name) {
        Override over{std::string(key.name), entry.substr(equals + 1), name};
        overrides.push_back(std::move(over));
      }
    }
  }
  return overrides;
}

Value read_override(const Key& key, const std::string& text) {
  if (std::holds_alternative<FlagField>(key.field)) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
  } else if (std::holds_alternative<TextsField>(key.field)) {
    Texts texts;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      texts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return texts;
  } else if (std::holds_alternative<SpanField>(key.field) || std::holds_alternative<NumberField>(key.field)) {
    if (const auto number = to_number<int64_t>(text)) return *number;
  }
  return text;
}

}  // namespace pulse
