#include "src/base/rfc3339.h"

#include <chrono>

namespace pulse {

namespace {

constexpr std::string_view kForm = "0000-00-00T00:00:00Z";

}  // namespace

bool append_rfc3339(std::string& out, int64_t epoch_seconds) {
  constexpr int64_t kEndOf9999 = 253'402'300'799;
  if (epoch_seconds < 0 || epoch_seconds > kEndOf9999) return false;
  const std::chrono::sys_seconds instant{std::chrono::seconds(epoch_seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(instant - day);
  const size_t from = out.size();
  out.append(kForm);
  const auto put = [&](size_t at, size_t digits, unsigned value) {
    for (; digits > 0; value /= 10) out[from + at + --digits] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, static_cast<unsigned>(time.hours().count()));
  put(14, 2, static_cast<unsigned>(time.minutes().count()));
  put(17, 2, static_cast<unsigned>(time.seconds().count()));
  return true;
}

std::string rfc3339(int64_t epoch_seconds) {
  std::string text;
  append_rfc3339(text, epoch_seconds);
  return text;
}

std::string rfc3339_fraction(int64_t epoch_ns, int digits) {
  std::string text = rfc3339(epoch_ns / 1'000'000'000);
  if (text.empty() || epoch_ns < 0) return "";
  const std::string fraction = std::to_string(1'000'000'000 + epoch_ns % 1'000'000'000);  // a 1, then nine digits
  text.back() = '.';
  return text.append(fraction, 1, static_cast<size_t>(digits)).append("Z");
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  if (text.size() != kForm.size()) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == '0' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  const auto number = [&](size_t at, size_t digits) {
    int value = 0;
    for (const char c : text.substr(at, digits)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);  // 60: a leap second
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * int64_t{86'400} + hour * 3600 + minute * 60 + second;
}

}  // namespace pulse
