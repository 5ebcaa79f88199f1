#include "src/cnf_text.h"

namespace pulse {

std::string without_trailing_commas(std::string_view text) {
  std::string out(text);
  constexpr size_t kNone = std::string_view::npos;
  size_t comma = kNone;  // the last one, with nothing but space and comments after it
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '#' || (c == '/' && next == '/')) {
      while (i < text.size() && text[i] != '\n') ++i;
    } else if (c == '/' && next == '*') {
      const size_t end = text.find("*/", i + 2);
      if (end == kNone) break;
      i = end + 1;
    } else if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
      comma = kNone;
    } else if (c == ',') {
      comma = i;
    } else if (c == ')' || c == ']' || c == '}') {
      if (comma != kNone) out[comma] = ' ';
      comma = kNone;
    } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f') {
      comma = kNone;
    }
  }
  return out;
}

}  // namespace pulse
