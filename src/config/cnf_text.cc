#include "src/config/cnf_text.h"

#include <algorithm>

namespace pulse {

namespace {

constexpr size_t kNone = std::string_view::npos;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

// Calls `take` with the place of each character that is neither space nor comment, in order; of a string, with that of
// the quote that opens it. False if a string or a comment has no end.
template <class Take>
bool each_token(std::string_view text, Take take) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '#' || (c == '/' && next == '/')) {
      i = text.find('\n', i);
      if (i == kNone) return true;
    } else if (c == '/' && next == '*') {
      const size_t end = text.find("*/", i + 2);
      if (end == kNone) return false;
      i = end + 1;
    } else if (c == '"') {
      take(i);
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
      if (i >= text.size()) return false;
    } else if (!is_space(c)) {
      take(i);
    }
  }
  return true;
}

bool opens(char c) { return c == '(' || c == '[' || c == '{'; }
bool closes(char c) { return c == ')' || c == ']' || c == '}'; }
char partner_of(char opening) { return opening == '(' ? ')' : opening == '[' ? ']' : '}'; }

// Of a setting's name. ProxySQL's are without the '-' and '*' that libconfig would allow.
bool in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*';
}

}  // namespace

std::string without_trailing_commas(std::string_view text) {
  std::string out(text);
  size_t comma = kNone;  // the last one, with nothing but space and comments after it
  each_token(text, [&](size_t at) {
    if (closes(text[at]) && comma != kNone) out[comma] = ' ';
    comma = text[at] == ',' ? at : kNone;
  });
  return out;
}

std::string with_first_rows(std::string_view text) {
  std::string out;
  size_t taken = 0;       // of the text
  std::string closing;    // of the brackets that are open
  bool sound = true;      // all that were closed were open
  size_t name_begin = 0;  // of the name that was read last, at the top level
  size_t name_end = 0;
  bool shortens = false;  // the list of that name
  size_t comma = kNone;   // its first one
  const bool ends = each_token(text, [&](size_t at) {
    const char c = text[at];
    if (opens(c)) {
      if (closing.empty()) {
        const std::string_view name = text.substr(name_begin, name_end - name_begin);
        shortens = c == '(' && !name.empty() && name != "scheduler" && name != "proxysql_servers";
        comma = kNone;
      }
      closing += partner_of(c);
    } else if (closes(c)) {
      if (closing.empty() || closing.back() != c) {
        sound = false;
        return;
      }
      closing.pop_back();
      if (!closing.empty()) return;
      name_begin = name_end = 0;
      if (!shortens || comma == kNone || text.substr(comma, at - comma).find("@include") != kNone) return;
      out.append(text.substr(taken, comma - taken));
      out.append(static_cast<size_t>(std::count(text.begin() + comma, text.begin() + at, '\n')), '\n');
      taken = at;
    } else if (closing.empty() && in_name(c)) {
      if (name_end != at) name_begin = at;
      name_end = at + 1;
    } else if (c == ',' && shortens && comma == kNone && closing.size() == 1) {
      comma = at;
    }
  });
  if (!ends || !sound || !closing.empty()) return std::string(text);
  return out.append(text.substr(taken));
}

}  // namespace pulse
