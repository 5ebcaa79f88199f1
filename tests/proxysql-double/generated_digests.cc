#include "tests/proxysql-double/generated_digests.h"

#include <array>
#include <charconv>
#include <string_view>

namespace proxysql_double {
namespace {

constexpr size_t kColumns = 14;
constexpr size_t kTexts = 64;
constexpr size_t kLongText = 4096;

std::array<std::string, kTexts> make_texts() {
  std::array<std::string, kTexts> texts;
  texts.fill(" a JOIN b ON a.id = b.id WHERE a.id > ? AND b.c IN (?,?,?) ORDER BY k DESC LIMIT ?");
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) bytes += static_cast<char>(byte);
  std::string longest = " WHERE id IN (";
  while (longest.size() < kLongText - 2) longest += "?,";
  const std::string odd[] = {" WHERE a = \"?\"",
                             "\"",
                             " , \"\"quoted\"\" ,",
                             "\nFROM t\r\nWHERE ?\r",
                             "\tWHERE\t?\t",
                             " WHERE a = '\\' \\\\ \\n'",
                             " WHERE name = 'Zürich, 東京 \xF0\x9F\x90\xAC'",
                             " \xFF\xFE \xC3( \xED\xA0\x80 \xC0\xAF",
                             bytes,
                             longest,
                             " ",
                             ",",
                             "\r\n",
                             "'",
                             "",
                             " WHERE a = '\x7F\x01\x1B'"};
  size_t at = 1;
  for (const std::string& text : odd) texts[at += 2] = text;
  return texts;
}

void put(Value& value, std::string_view prefix, uint64_t number, int base = 10, size_t digits = 0) {
  char text[24];
  const char* end = std::to_chars(text, text + sizeof text, number, base).ptr;
  if (!value) value.emplace();
  value->assign(prefix);
  const auto length = static_cast<size_t>(end - text);
  if (length < digits) value->append(digits - length, '0');
  value->append(text, length);
}

}  // namespace

void generate_digest(uint64_t i, Row& row) {
  static const std::array<std::string, kTexts> texts = make_texts();
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;  // a bijection of all numbers
  constexpr uint64_t kSomeTime = 1'700'000'000;
  row.resize(kColumns);
  put(row[0], i % 11 == 10 ? "-" : "", i % 11 == 10 ? 1 : i % 4);
  put(row[1], "shard_", i % 10);
  put(row[2], i % 17 == 0 ? "o'brien, \"x\" " : "user_", i % 7);
  if (i % 3 == 0) {
    put(row[3], "10.0.0.", i % 250);
  } else {
    row[3] = "";
  }
  put(row[4], "0x", i * kOdd, 16, 16);
  put(row[5], "SELECT ? FROM t", i);
  row[5]->append(texts[i % kTexts]);
  put(row[6], "", i % 1000 + 1);
  put(row[7], "", kSomeTime + i);
  put(row[8], "", kSomeTime + 2 * i);
  put(row[9], "", i * 997);
  put(row[10], "", i % 100);
  put(row[11], "", i * 991);
  put(row[12], "", i % 5);
  put(row[13], "", i % 6);
}

}  // namespace proxysql_double
