// The words of proxysql.cnf, through all files that it includes. Internal to cnf.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/cnf.h"

namespace pulse {

enum class CnfToken : uint8_t {
  end,
  equals,
  comma,
  semicolon,
  group_start,
  group_end,
  array_start,
  array_end,
  list_start,
  list_end,
  name,
  text,
  boolean,
  integer,
  integer64,
  real,
  garbage,
};

class CnfLexer {
 public:
  // Texts are kept in `cnf`.
  CnfLexer(Cnf& cnf, std::string text, const std::string& path);

  // Reads the next word; what it is made of stands in text() and number().
  CnfToken next();

  std::string_view text() const { return text_; }
  int64_t number() const { return number_; }
  int line() const { return source_.line; }
  const std::string* file() const { return source_.file; }
  // Why the last word is garbage, where there is more to say than that: an included file.
  const std::string& reason() const { return reason_; }

 private:
  // What is being read, and what is read on after it.
  struct Source {
    std::string_view text;
    size_t at = 0;
    int line = 1;
    const std::string* file = nullptr;
  };
  // The end of a file doesn't end a comment or a text: the file that includes it goes on with it, as in libconfig.
  enum class State : uint8_t { initial, line_comment, comment, string, include };

  bool more() const { return source_.at < source_.text.size(); }
  bool pop();
  // False at the end of the file.
  bool skip_line_comment();
  bool skip_comment();
  bool read_string();
  bool read_include();
  bool open_include();
  bool starts_include();
  CnfToken take_string();
  CnfToken take_number();
  CnfToken take_name();
  CnfToken integer_from(std::string_view digits);

  Cnf& cnf_;
  Source source_;
  std::vector<Source> outer_;
  std::string directory_;  // of the file that was read first
  State state_ = State::initial;
  std::string_view text_;
  std::string_view plain_;  // of a string: a part of the file, as long as nothing else is needed
  std::string built_;       // otherwise
  bool is_built_ = false;
  int64_t number_ = 0;
  std::string reason_;
  size_t total_ = 0;  // bytes of all files
};

}  // namespace pulse
