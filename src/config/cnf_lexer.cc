#include "src/config/cnf_lexer.h"

#include <algorithm>
#include <array>
#include <climits>
#include <limits>

#include "src/base/file.h"
#include "src/config/cnf_file.h"

namespace pulse {

namespace {

constexpr size_t kDeepestInclude = 10;  // as libconfig has it
constexpr size_t kMostIncludes = 1000;

enum CharClass : uint8_t { kOther = 0, kSpace = 1, kNameStart = 2, kNameRest = 4, kDigit = 8, kHex = 16, kString = 32 };

constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (const char c : {' ', '\t', '\r', '\f'}) classes[static_cast<unsigned char>(c)] = kSpace;
  for (int c = 'A'; c <= 'Z'; ++c) classes[c] = classes[c + 'a' - 'A'] = kNameStart | kNameRest;
  for (int c = 'A'; c <= 'F'; ++c) {
    classes[c] |= kHex;
    classes[c + 'a' - 'A'] |= kHex;
  }
  for (int c = '0'; c <= '9'; ++c) classes[c] = kNameRest | kDigit | kHex;
  classes['*'] = kNameStart | kNameRest;
  classes['_'] = classes['-'] = kNameRest;
  for (int c = 0; c < 256; ++c) {
    if (c != '"' && c != '\\' && c != '\n' && c != '\0') classes[c] |= kString;
  }
  return classes;
}();

bool is(char c, int wanted) { return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}

size_t skip(std::string_view text, size_t at, int wanted) {
  while (at < text.size() && is(text[at], wanted)) ++at;
  return at;
}

// Behind an exponent that begins at `at`; `at` where there is none.
size_t skip_exponent(std::string_view text, size_t at) {
  if (at >= text.size() || lower(text[at]) != 'e') return at;
  size_t digits = at + 1;
  if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
  const size_t end = skip(text, digits, kDigit);
  return end == digits ? at : end;
}

unsigned digit_of(char c) { return is(c, kDigit) ? unsigned(c - '0') : unsigned(lower(c) - 'a') + 10; }

// As strtoull(3) reads digits: too large a number is the largest.
uint64_t read_digits(std::string_view digits, unsigned base, bool& too_large) {
  uint64_t value = 0;
  for (const char c : digits) {
    const uint64_t digit = digit_of(c);
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / base) {
      too_large = true;
      return std::numeric_limits<uint64_t>::max();
    }
    value = value * base + digit;
  }
  return value;
}

// As strtoll(3).
int64_t read_signed(std::string_view digits, unsigned base, bool negative, bool& too_large) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  const uint64_t value = read_digits(digits, base, too_large);
  if (value > kMost + (negative ? 1 : 0)) too_large = true;
  if (too_large) return negative ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(negative ? 0 - value : value);
}

}  // namespace

CnfLexer::CnfLexer(Cnf& cnf, std::string text, const std::string& path) : cnf_(cnf), total_(text.size()) {
  source_.file = &cnf_.texts_.emplace_back(path);
  source_.text = cnf_.texts_.emplace_back(std::move(text));
  const size_t slash = path.rfind('/');
  if (slash != std::string::npos) directory_ = path.substr(0, slash + 1);
}

bool CnfLexer::pop() {
  if (outer_.empty()) return false;
  source_ = outer_.back();
  outer_.pop_back();
  return true;
}

CnfToken CnfLexer::next() {
  for (;;) {
    switch (state_) {
      case State::line_comment:
        if (!skip_line_comment() && !pop()) return CnfToken::end;
        continue;
      case State::comment:
        if (!skip_comment() && !pop()) return CnfToken::end;
        continue;
      case State::string:
        if (read_string()) return take_string();
        if (!pop()) return CnfToken::end;
        continue;
      case State::include:
        if (!read_include()) {
          if (!pop()) return CnfToken::end;
          continue;
        }
        if (!open_include()) return CnfToken::garbage;
        continue;
      case State::initial:
        break;
    }
    if (!more()) {
      if (!pop()) return CnfToken::end;
      continue;
    }
    const char c = source_.text[source_.at];
    if (c == '\n') {
      ++source_.at;
      ++source_.line;
      continue;
    }
    if (is(c, kSpace)) {
      if (starts_include()) continue;
      source_.at = skip(source_.text, source_.at, kSpace);
      continue;
    }
    if (is(c, kNameStart)) return take_name();
    const char after = source_.at + 1 < source_.text.size() ? source_.text[source_.at + 1] : '\0';
    if (is(c, kDigit) || c == '.' || ((c == '-' || c == '+') && (is(after, kDigit) || after == '.'))) {
      return take_number();
    }
    if (c == '@' && starts_include()) continue;
    ++source_.at;
    switch (c) {
      case '=':
      case ':':
        return CnfToken::equals;
      case ',':
        return CnfToken::comma;
      case ';':
        return CnfToken::semicolon;
      case '{':
        return CnfToken::group_start;
      case '}':
        return CnfToken::group_end;
      case '[':
        return CnfToken::array_start;
      case ']':
        return CnfToken::array_end;
      case '(':
        return CnfToken::list_start;
      case ')':
        return CnfToken::list_end;
      case '"':
        state_ = State::string;
        continue;
      case '#':
        state_ = State::line_comment;
        continue;
      case '/':
        if (after != '/' && after != '*') return CnfToken::garbage;
        ++source_.at;
        state_ = after == '/' ? State::line_comment : State::comment;
        continue;
      default:
        return CnfToken::garbage;
    }
  }
}

bool CnfLexer::skip_line_comment() {
  source_.at = std::min(source_.text.find('\n', source_.at), source_.text.size());
  if (more()) state_ = State::initial;  // the end of the line is read as such
  return more();
}

bool CnfLexer::skip_comment() {
  for (; more(); ++source_.at) {
    const char c = source_.text[source_.at];
    if (c == '\n') {
      ++source_.line;
    } else if (c == '*' && source_.at + 1 < source_.text.size() && source_.text[source_.at + 1] == '/') {
      source_.at += 2;
      state_ = State::initial;
      return true;
    }
  }
  return false;
}

// Behind the string's last quote; what it says is in plain_ or built_.
bool CnfLexer::read_string() {
  const std::string_view text = source_.text;
  const auto build = [&](std::string_view more) {
    if (!is_built_ && plain_.empty()) {
      plain_ = more;
      return;
    }
    if (!is_built_) built_ = plain_;
    is_built_ = true;
    built_ += more;
  };
  while (more()) {
    // A run without quotes and backslashes; a zero byte ends what is taken of it.
    const size_t begin = source_.at;
    size_t end = begin;
    for (; end < text.size(); ++end) {
      end = skip(text, end, kString);
      if (end >= text.size() || text[end] == '"' || text[end] == '\\') break;
      if (text[end] == '\n') ++source_.line;
    }
    source_.at = end;
    if (end > begin) {
      const std::string_view run = text.substr(begin, end - begin);
      build(run.substr(0, run.find('\0')));
    }
    if (!more()) return false;
    ++source_.at;
    if (text[end] == '"') return true;
    const char c = more() ? text[source_.at] : '\0';
    constexpr std::string_view kLetters = "nrtf\\\"";
    constexpr std::string_view kMeanings = "\n\r\t\f\\\"";
    const size_t letter = c == '\0' ? std::string_view::npos : kLetters.find(c);
    if (letter != std::string_view::npos) {
      ++source_.at;
      build(kMeanings.substr(letter, 1));
    } else if (lower(c) == 'x' && source_.at + 2 < text.size() && is(text[source_.at + 1], kHex) &&
               is(text[source_.at + 2], kHex)) {
      const char byte = static_cast<char>(digit_of(text[source_.at + 1]) * 16 + digit_of(text[source_.at + 2]));
      source_.at += 3;
      if (!is_built_) built_ = plain_;
      is_built_ = true;
      built_ += byte;
    } else {
      build("\\");
    }
  }
  return false;
}

CnfToken CnfLexer::take_string() {
  state_ = State::initial;
  text_ = is_built_ ? std::string_view(cnf_.texts_.emplace_back(std::move(built_))) : plain_;
  text_ = text_.substr(0, text_.find('\0'));
  plain_ = {};
  built_.clear();
  is_built_ = false;
  return CnfToken::text;
}

// Whether `@include "` begins here, at the beginning of a line; then it is read.
bool CnfLexer::starts_include() {
  const std::string_view text = source_.text;
  size_t at = source_.at;
  if (at != 0 && text[at - 1] != '\n') return false;
  const auto blank = [&] { return at < text.size() && (text[at] == ' ' || text[at] == '\t'); };
  while (blank()) ++at;
  constexpr std::string_view kWord = "@include";
  if (text.substr(at, kWord.size()) != kWord) return false;
  at += kWord.size();
  if (!blank()) return false;
  while (blank()) ++at;
  if (at >= text.size() || text[at] != '"') return false;
  source_.at = at + 1;
  state_ = State::include;
  return true;
}

bool CnfLexer::read_include() {
  while (more()) {
    const char c = source_.text[source_.at++];
    if (c == '"') return true;
    if (c == '\n') ++source_.line;
    if (c != '\\') {
      built_ += c;
    } else if (more() && (source_.text[source_.at] == '\\' || source_.text[source_.at] == '"')) {
      built_ += source_.text[source_.at++];
    }  // libconfig drops any other backslash
  }
  return false;
}

bool CnfLexer::open_include() {
  state_ = State::initial;
  const std::string name = built_.substr(0, built_.find('\0'));
  built_.clear();
  if (outer_.size() == kDeepestInclude) {
    reason_ = "include file nesting too deep";
    return false;
  }
  if (cnf_.includes_.size() == kMostIncludes) {
    reason_ = "more than " + std::to_string(kMostIncludes) + " include files";
    return false;
  }
  auto read = read_included_file(name, directory_, kMostBytes - std::min(total_, kMostBytes));
  if (!read) {
    reason_ = "cannot open include file: " + read.error().text;
    return false;
  }
  total_ += read->text.size();
  outer_.push_back(source_);
  source_ = {};
  source_.file = &cnf_.texts_.emplace_back(read->path);
  source_.text = cnf_.texts_.emplace_back(std::move(read->text));
  cnf_.includes_.push_back({std::move(read->path), read->identity, read->beside});
  return true;
}

CnfToken CnfLexer::take_name() {
  const size_t begin = source_.at;
  source_.at = skip(source_.text, begin, kNameRest);
  text_ = source_.text.substr(begin, source_.at - begin);
  const char c = lower(text_.front());
  if ((c == 't' && is_word(text_, "true")) || (c == 'f' && is_word(text_, "false"))) {
    number_ = c == 't' ? 1 : 0;
    return CnfToken::boolean;
  }
  return CnfToken::name;
}

CnfToken CnfLexer::take_number() {
  const std::string_view text = source_.text;
  const size_t begin = source_.at;
  const auto take = [&](size_t end) {
    source_.at = end;
    return text.substr(begin, end - begin);
  };
  size_t digits = begin;
  if (text[digits] == '+' || text[digits] == '-') ++digits;
  size_t end = skip(text, digits, kDigit);
  const auto skip_suffix = [&](size_t at) {
    if (at >= text.size() || text[at] != 'L') return at;
    return at + (at + 1 < text.size() && text[at + 1] == 'L' ? 2 : 1);
  };
  if (digits == begin && end == begin + 1 && text[begin] == '0' && end < text.size() && lower(text[end]) == 'x') {
    const size_t hex_end = skip(text, end + 1, kHex);
    if (hex_end > end + 1) {
      bool too_large = false;
      const uint64_t value = read_digits(text.substr(end + 1, hex_end - end - 1), 16, too_large);
      const size_t behind = skip_suffix(hex_end);
      text_ = take(behind);
      number_ = behind == hex_end ? static_cast<int32_t>(static_cast<uint32_t>(value)) : static_cast<int64_t>(value);
      return behind == hex_end ? CnfToken::integer : CnfToken::integer64;
    }
  }
  if (end < text.size() && text[end] == '.') {
    text_ = take(skip_exponent(text, skip(text, end + 1, kDigit)));
    return CnfToken::real;
  }
  if (const size_t behind = skip_exponent(text, end); behind != end) {
    text_ = take(behind);
    return CnfToken::real;
  }
  if (const size_t behind = skip_suffix(end); behind != end) {
    text_ = take(behind);
    bool too_large = false;
    number_ = read_signed(text.substr(digits, end - digits), 10, text[begin] == '-', too_large);
    return CnfToken::integer64;
  }
  text_ = take(end);
  return integer_from(text.substr(digits, end - digits));
}

// A number that begins with 0 is octal.
CnfToken CnfLexer::integer_from(std::string_view digits) {
  bool too_large = false;
  const bool octal = digits.size() > 1 && digits.front() == '0';
  if (octal && digits.find_first_of("89") != std::string_view::npos) return CnfToken::garbage;
  number_ = read_signed(digits, octal ? 8 : 10, text_.front() == '-', too_large);
  if (too_large) return CnfToken::garbage;
  return number_ < INT_MIN || number_ > INT_MAX ? CnfToken::integer64 : CnfToken::integer;
}

}  // namespace pulse
