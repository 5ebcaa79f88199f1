#include "src/config/salvage.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace pulse {

namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '*'; }

// Where what begins at `at` ends if it is a string or a comment; `at` if it is neither. A string ends with its line:
// one quote too many may be the error.
size_t skip_opaque(std::string_view text, size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with('#') || rest.starts_with("//")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("/*")) {
    const size_t end = text.find("*/", at + 2);
    return end == std::string_view::npos ? text.size() : end + 2;
  }
  if (!rest.starts_with('"')) return at;
  for (size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::min(text.find('\n', at), text.size());
}

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
  return at;
}

// Behind the bracket that closes the one at `open`; 0 if none does.
size_t end_of_group(std::string_view text, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < text.size();) {
    if (const size_t behind = skip_opaque(text, i); behind != i) {
      i = behind;
      continue;
    }
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i + 1;
    ++i;
  }
  return 0;
}

}  // namespace

std::string salvage_groups(std::string_view text) {
  constexpr std::string_view kInclude = "@include";
  constexpr std::string_view kGroups[] = {"pulse", "admin_variables", "mysql_variables", "pgsql_variables"};
  std::string salvaged;
  for (size_t i = 0; i < text.size();) {
    if (const size_t behind = skip_opaque(text, i); behind != i) {
      i = behind;
      continue;
    }
    if (text.substr(i).starts_with(kInclude)) {
      const size_t end = std::min(text.find('\n', i), text.size());
      salvaged += std::string(text.substr(i, end - i)) + "\n";
      i = end;
      continue;
    }
    if (!is_word(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view word = text.substr(i, end - i);
    i = end;
    if (std::find(std::begin(kGroups), std::end(kGroups), word) == std::end(kGroups)) continue;
    size_t open = skip_space(text, end);
    if (open >= text.size() || (text[open] != '=' && text[open] != ':')) continue;
    open = skip_space(text, open + 1);
    const size_t close = open < text.size() && text[open] == '{' ? end_of_group(text, open) : 0;
    if (close == 0) return "";
    salvaged += std::string(word) + " = " + std::string(text.substr(open, close - open)) + "\n";
    i = close;
  }
  return salvaged;
}

}  // namespace pulse
