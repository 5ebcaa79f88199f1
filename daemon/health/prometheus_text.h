// Builds a text of Prometheus's format, version 0.0.4.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "shm/segment/names.h"
#include "src/base/utf8.h"

namespace pulse {

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

// A span of time, shown in seconds: exactly, and without floating point, whose tables would be most of what this page
// costs in memory.
struct Seconds {
  explicit Seconds(int64_t span_ns) : ns(std::max<int64_t>(0, span_ns)) {}
  int64_t ns;
};

// A number as text.
class Digits {
 public:
  template <class Integer>
  explicit Digits(Integer value)
      : length_(static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof digits_, value).ptr - digits_)) {}
  explicit Digits(bool value) : Digits(value ? 1 : 0) {}
  explicit Digits(Seconds span) : Digits(span.ns / kSecond) {
    int64_t rest = span.ns % kSecond;
    if (rest != 0) digits_[length_++] = '.';
    for (int64_t digit = kSecond / 10; rest != 0; digit /= 10) {
      digits_[length_++] = static_cast<char>('0' + rest / digit);
      rest %= digit;
    }
  }
  std::string_view text() const { return {digits_, length_}; }

 private:
  static constexpr int64_t kSecond = 1'000'000'000;
  char digits_[32];
  size_t length_;
};

// Builds the text, one metric family after the other.
class Exposition {
 public:
  Exposition() { out_.reserve(16 * 1024); }

  // Begins a family; its samples follow. `help` is a plain text without backslashes and line ends.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    add({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"});
  }

  template <class Number>
  void sample(Labels labels, Number value, std::string_view suffix = "") {
    add({name_, suffix});
    char separator = '{';
    for (const Label& label : labels) {
      out_ += separator;
      add({label.name, "=\""});
      add_value(label.value);
      out_ += '"';
      separator = ',';
    }
    if (labels.size() != 0) out_ += '}';
    add({" ", Digits(value).text(), "\n"});
  }

  template <class Number>
  void gauge(std::string_view name, std::string_view help, Number value) {
    family(name, "gauge", help);
    sample({}, value);
  }

  void counter(std::string_view name, std::string_view help, uint64_t value) {
    family(name, "counter", help);
    sample({}, value);
  }

  // How long `stamp_ns` is ago; nothing for never.
  void age(std::string_view name, std::string_view help, int64_t stamp_ns, int64_t now_ns) {
    if (stamp_ns != 0) gauge(name, help, Seconds(now_ns - stamp_ns));
  }

  // One sample for each of `all`, 1 for the one that is `present` and 0 for the others.
  template <class Enum, size_t N>
  void set(std::string_view name, std::string_view help, std::string_view label, const std::array<Enum, N>& all,
           Enum present) {
    family(name, "gauge", help);
    for (const Enum each : all) sample({{label, pulse::name(each)}}, each == present);
  }

  std::string take() { return std::move(out_); }

 private:
  void add(std::initializer_list<std::string_view> pieces) {
    for (const std::string_view piece : pieces) out_ += piece;
  }

  // Prometheus refuses a whole answer that has one byte which isn't UTF-8.
  void add_value(std::string_view text) {
    while (!text.empty()) {
      const size_t length = utf8_length(text);
      if (text[0] == '\\' || text[0] == '"') out_ += '\\';
      // U+FFFD stands for what isn't UTF-8.
      add({length == 0 ? "\xEF\xBF\xBD" : text[0] == '\n' ? "\\n" : text.substr(0, length)});
      text.remove_prefix(std::max<size_t>(1, length));
    }
  }

  std::string out_;
  std::string_view name_;
};

}  // namespace pulse
