// Numbers from text. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace pulse {

// Takes the number that `text` begins with off its front. Nothing, and `text` unchanged, if it begins with none or with
// one that T can't hold. Only a T with a sign takes a minus; none takes a plus or white space.
template <class T>
std::optional<T> take_number(std::string_view& text, int base = 10) {
  T number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (failure != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

// The number that `text` is; nothing if it isn't one from its first character to its last.
template <class T>
std::optional<T> to_number(std::string_view text, int base = 10) {
  const std::optional<T> number = take_number<T>(text, base);
  return text.empty() ? number : std::nullopt;
}

}  // namespace pulse
