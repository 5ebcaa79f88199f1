// An object in nlohmann's JSON, made without a detour.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

namespace pulse {

struct JsonField {
  const char* key;
  mutable nlohmann::ordered_json value;  // an initializer list's elements are const, but nobody else's
};

// json_object({{"a", 1}, {"b", "x"}}) is what Json{{"a", 1}, {"b", "x"}} is, which makes an array of each pair first:
// for what is asked often. Takes the values; the keys must differ.
inline nlohmann::ordered_json json_object(std::initializer_list<JsonField> fields) {
  nlohmann::ordered_json::object_t object;
  object.reserve(fields.size());
  for (const JsonField& field : fields) object.emplace_back(field.key, std::move(field.value));
  return object;
}

}  // namespace pulse
