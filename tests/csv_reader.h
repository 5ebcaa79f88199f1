// CSV as RFC 4180 has it and nothing else, for tests of what is written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pulse::test {

using CsvRecord = std::vector<std::string>;

// All records of `text`; nothing if it isn't RFC 4180: each record ends with CRLF, a quote stands only around a whole
// field or doubled inside one, and all records have as many fields as the first.
inline std::optional<std::vector<CsvRecord>> read_csv(std::string_view text) {
  std::vector<CsvRecord> records;
  size_t at = 0;
  const auto next_is = [&](std::string_view wanted) { return text.substr(at, wanted.size()) == wanted; };
  while (at < text.size()) {
    CsvRecord record;
    for (;;) {
      std::string field;
      if (next_is("\"")) {
        for (++at;; ++at) {
          if (at >= text.size()) return std::nullopt;
          if (text[at] == '"') {
            if (!next_is("\"\"")) break;
            ++at;
          }
          field += text[at];
        }
        ++at;
      } else {
        while (at < text.size() && !next_is(",") && !next_is("\r") && !next_is("\n")) {
          if (text[at] == '"') return std::nullopt;
          field += text[at++];
        }
      }
      record.push_back(std::move(field));
      if (!next_is(",")) break;
      ++at;
    }
    if (!next_is("\r\n")) return std::nullopt;
    at += 2;
    if (!records.empty() && record.size() != records[0].size()) return std::nullopt;
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace pulse::test
