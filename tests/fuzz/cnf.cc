// Any text as a file in libconfig's grammar: refused with file and line, or a tree that reads as the same when it is
// written down again; and what ProxySQL's tables would hold of it.
#include "src/config/cnf.h"

#include <cstdio>

#include "src/config/file_rows.h"
#include "src/config/salvage.h"
#include "src/config/table_rows.h"
#include "tests/fuzz/fuzz.h"

using pulse::CnfChildren;
using pulse::CnfSetting;
using pulse::CnfType;
using pulse::fuzz::expect;

namespace {

void write_text(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(c));
    out += escaped;
  }
  out += '"';
}

void write_down(const CnfSetting& setting, std::string& out) {
  if (!setting.name.empty()) out += std::string(setting.name) + "=";
  switch (setting.type) {
    case CnfType::integer:
      out += std::to_string(setting.number);
      return;
    case CnfType::integer64:
      out += std::to_string(setting.number) + "L";
      return;
    case CnfType::boolean:
      out += setting.number != 0 ? "true" : "false";
      return;
    case CnfType::real:
      out += setting.text;
      return;
    case CnfType::text:
      write_text(setting.text, out);
      return;
    default:
      break;
  }
  const char* brackets = setting.is(CnfType::group) ? "{}" : setting.is(CnfType::list) ? "()" : "[]";
  out += brackets[0];
  size_t children = 0;
  for (const CnfSetting& child : CnfChildren(&setting)) {
    if (children++ > 0) out += setting.is(CnfType::group) ? "; " : ", ";
    expect(child.name.empty() != setting.is(CnfType::group), "members have names, elements have none");
    write_down(child, out);
  }
  expect(children == setting.length, "the length is that of the children");
  out += brackets[1];
}

std::string written(const pulse::Cnf& cnf) {
  std::string out;
  write_down(cnf.root(), out);
  return out.substr(1, out.size() - 2);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(pulse::salvage_groups(text));
  const auto all = pulse::parse_cnf(text, "/fuzzed.cnf");
  const auto first = pulse::parse_cnf(text, "/fuzzed.cnf", pulse::Rows::first);
  if (!all) {
    expect(!first && first.error().text == all.error().text, "all of the file is checked");
    expect(all.error().text.find(':') != std::string::npos, "an error names file and line");
    return 0;
  }
  expect(bool(first), "what is right with all rows is right with few");
  const std::string once = written(*all);
  const auto again = pulse::parse_cnf(once, "/written.cnf");
  expect(bool(again) && written(*again) == once, "what was read reads as the same");
  for (const CnfSetting& group : CnfChildren(&all->root())) {
    for (const pulse::ListedRow& row : pulse::listed_rows(group.name, &group)) {
      for (const std::string& column : pulse::stored_columns(group.name)) {
        static_cast<void>(pulse::stored_cell(group.name, row, column));
      }
    }
  }
  const auto rows = pulse::parse_file_rows(text, "/fuzzed.cnf");
  expect(bool(rows), "the rows of what is right can be told");
  for (const pulse::FileTable& table : rows->tables) {
    for (const pulse::FileRow& row : table.rows) {
      for (const std::string& column : table.key) expect(row.count(column) != 0, "a row has its key");
    }
  }
  return 0;
}
