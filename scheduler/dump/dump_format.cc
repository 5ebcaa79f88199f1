#include "scheduler/dump/dump_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/base/number.h"
#include "src/base/rfc3339.h"

namespace pulse {

namespace {

constexpr std::string_view kReset = "_reset";

// By name, for they mean the same in every table of ProxySQL's: seconds since 1970, by its own conversion.
constexpr std::string_view kTimes[] = {"first_seen", "last_seen",  "last_seen_at", "last_updated",
                                       "changed_at", "updated_at", "epoch"};
constexpr std::string_view kNumbers[] = {"hostgroup", "count_star",        "sum_time",     "min_time",
                                         "max_time",  "sum_rows_affected", "sum_rows_sent"};
// What proxysql-agent calls them.
constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {{"sum_time", "sum_time_us"},
                                                                      {"min_time", "min_time_us"}};

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

std::string_view shown_name(std::string_view column) {
  for (const auto& [ours, shown] : kRenamed) {
    if (column == ours) return shown;
  }
  return column;
}

// What a byte needs: most texts have none of these, and are then copied in one piece.
enum Mark : uint8_t { kCsvQuotes = 1, kJsonEscape = 2, kNotAscii = 4 };
constexpr std::array<uint8_t, 256> kMarks = [] {
  std::array<uint8_t, 256> marks{};
  for (const unsigned char c : {'"', ',', '\r', '\n'}) marks[c] |= kCsvQuotes;
  for (unsigned c = 0; c < 0x20; ++c) marks[c] |= kJsonEscape;
  marks['"'] |= kJsonEscape;
  marks['\\'] |= kJsonEscape;
  for (unsigned c = 0x80; c < 0x100; ++c) marks[c] |= kNotAscii;
  return marks;
}();

uint8_t marks_of(std::string_view text) {
  uint8_t marks = 0;
  for (const char c : text) marks = static_cast<uint8_t>(marks | kMarks[static_cast<unsigned char>(c)]);
  return marks;
}

void append_csv(std::string& out, std::string_view text) {
  if ((marks_of(text) & kCsvQuotes) == 0) {
    out += text;
    return;
  }
  out += '"';
  for (size_t quote; (quote = text.find('"')) != std::string_view::npos; text.remove_prefix(quote + 1)) {
    out.append(text.substr(0, quote + 1)) += '"';
  }
  out.append(text) += '"';
}

// The length of the character that `text` begins with; 0 if that isn't UTF-8 (also an overlong form, a surrogate, or
// beyond U+10FFFF).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto goes_on = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return goes_on(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool in_range = (first != 0xE0 || byte(1) >= 0xA0) && (first != 0xED || byte(1) < 0xA0);
    return in_range && goes_on(1) && goes_on(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool in_range = (first != 0xF0 || byte(1) >= 0x90) && (first != 0xF4 || byte(1) < 0x90);
    return in_range && goes_on(1) && goes_on(2) && goes_on(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '"':
    case '\\':
      (out += '\\') += c;
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  if ((marks_of(text) & (kJsonEscape | kNotAscii)) != 0) {
    for (size_t at = 0; at < text.size();) {
      const bool escape = (kMarks[static_cast<unsigned char>(text[at])] & kJsonEscape) != 0;
      const size_t length = escape ? 0 : utf8_length(text.substr(at));
      if (length != 0) {
        at += length;
        continue;
      }
      out += text.substr(0, at);
      if (escape) {
        append_escaped(out, text[at]);
      } else {
        out += "\xEF\xBF\xBD";
      }
      text.remove_prefix(at + 1);
      at = 0;
    }
  }
  out.append(text) += '"';
}

// Is it a whole number as JSON writes one?
bool is_number(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.empty() || (text[0] == '0' && text.size() > 1)) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// False, and nothing appended, if it is none.
bool append_time(std::string& out, std::string_view epoch_seconds) {
  const auto seconds = to_number<int64_t>(epoch_seconds);
  return seconds && append_rfc3339(out, *seconds);
}

}  // namespace

Result<DumpTable> parse_dump_table(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  DumpTable table{std::string(name), name.ends_with(kReset)};
  if (table.reset) table.name.resize(name.size() - kReset.size());
  if (!plain || !table.name.starts_with("stats_") || table.name.size() > 100) {
    return Error{std::string(name) + " can't be dumped: only tables named stats_..., in lower case"};
  }
  if (table.name == "stats_proxysql_servers_metrics") {
    return Error{
        "stats_proxysql_servers_metrics is never read: that can hang ProxySQL's admin interface until it is restarted; "
        "stats_proxysql_servers_checksums says which peers are alive"};
  }
  return table;
}

DumpWriter::DumpWriter(DumpFormat format, std::string_view pod, const std::vector<std::string_view>& columns)
    : format_(format) {
  const bool csv = format == DumpFormat::csv;
  if (csv) {
    header_ = "pod_name";
    append_csv(begin_, pod);
  } else {
    begin_ = "{\"pod_name\":";
    append_json(begin_, pod);
  }
  for (const std::string_view name : columns) {
    std::string begin = ",";
    if (csv) {
      append_csv(header_ += ',', shown_name(name));
    } else {
      append_json(begin, shown_name(name));
      begin += ':';
    }
    const Kind kind = contains(kTimes, name) ? Kind::time : contains(kNumbers, name) ? Kind::number : Kind::text;
    columns_.push_back({std::move(begin), kind});
  }
  if (csv) header_ += "\r\n";
}

void DumpWriter::header(std::string& out) const { out += header_; }

void DumpWriter::row(std::string& out, const std::vector<std::optional<std::string_view>>& cells) const {
  const bool csv = format_ == DumpFormat::csv;
  out += begin_;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    out += column.begin;
    if (!cells[i]) {
      if (!csv) out += "null";
      continue;
    }
    const std::string_view text = *cells[i];
    if (column.kind == Kind::time) {
      const size_t before = out.size();
      if (!csv) out += '"';
      if (append_time(out, text)) {
        if (!csv) out += '"';
        continue;
      }
      out.resize(before);
    }
    if (csv) {
      append_csv(out, text);
    } else if (column.kind == Kind::number && is_number(text)) {
      out += text;
    } else {
      append_json(out, text);
    }
  }
  out += csv ? "\r\n" : "}\n";
}

std::string dump_file_name(std::string_view pod, std::string_view table, int64_t realtime_ns, DumpFormat format) {
  std::string time = rfc3339_fraction(realtime_ns, 3);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  std::string name(pod);
  std::replace(name.begin(), name.end(), '/', '_');
  return name + "-" + std::string(table) + "-" + time + (format == DumpFormat::csv ? ".csv" : ".jsonl");
}

}  // namespace pulse
