// One kind of error for the whole project: a value that carries what was tried, on what, and the system's reason.
#pragma once

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace pulse {

// Why something failed. `text` is a whole sentence fragment fit for a log line ("open /x: Permission denied").
// `code` is the errno, the MySQL error number or an exit code, as the function that returns it says; 0 if none.
struct Error {
  std::string text;
  int code = 0;
};

// Builds "WHAT: strerror(ERRNO)". Takes errno by value, so that the caller decides which failure it reports.
inline Error system_error(const std::string& what, int error_number) {
  return Error{what + ": " + std::strerror(error_number), error_number};
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace pulse
