// Names and hashes as a server may have them: what is taken is whole, and what goes into a statement is one text of it,
// whatever it holds; no row of anybody else's is written.
#include "scheduler/users/hashes.h"
#include "scheduler/users/users_plan.h"
#include "scheduler/users/users_statements.h"
#include "tests/fuzz/fuzz.h"

using pulse::fuzz::expect;
using pulse::fuzz::Input;

namespace {

// What SQLite makes of 'plain' or CAST(x'HEX' AS TEXT).
std::string read_back(std::string_view literal) {
  if (literal.starts_with("'")) return std::string(literal.substr(1, literal.size() - 2));
  literal = literal.substr(7, literal.size() - 7 - 10);
  std::string text;
  for (size_t i = 0; i + 1 < literal.size(); i += 2) {
    text += static_cast<char>(std::stoi(std::string(literal.substr(i, 2)), nullptr, 16));
  }
  return text;
}

void check_text(std::string_view text) {
  const std::string literal = pulse::sql_text(text);
  expect(literal.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'*- ()") ==
             std::string::npos,
         "a literal has only characters that mean nothing else");
  expect(std::count(literal.begin(), literal.end(), '\'') == 2, "a literal ends where it is meant to");
  expect(read_back(literal) == text, "a literal is the text");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  check_text(all);
  expect(!pulse::is_caching_sha2_hash(all) || (size == 70 && all.find('\0') == std::string_view::npos),
         "what ProxySQL takes for such a hash has 70 bytes and ends where it ends");
  expect(!pulse::is_native_hash(all) || size == 41, "a native hash has 41 bytes");
  expect(!pulse::is_scram_verifier(all) || all.find('\0') == std::string_view::npos, "a verifier is text");
  static_cast<void>(pulse::is_md5_verifier(all));
  expect(pulse::matches("*", all), "* is any text");

  Input input(data, size);
  pulse::UserRows memory;
  std::vector<pulse::Account> accounts;
  pulse::SelectionRules rules;
  rules.pgsql = (input.byte() & 1) != 0;
  while (!input.empty()) {
    const uint8_t kind = input.byte();
    const std::string name(input.take(kind & 7));
    if ((kind & 8) != 0) {
      pulse::Account one;
      one.name = name;
      one.host = (kind & 16) != 0 ? "%" : "10.%";
      one.hash = (kind & 32) != 0 ? "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19" : std::string(input.take(kind >> 2));
      accounts.push_back(std::move(one));
    } else {
      pulse::UserRow row;
      row.name = name;
      row.comment = (kind & 16) != 0 ? "mark" : std::string(input.take(5));
      row.active = (kind & 32) == 0;
      memory.push_back(std::move(row));
    }
  }
  const auto same = [](const pulse::UserRow& a, const pulse::UserRow& b) { return a.name == b.name; };
  std::stable_sort(memory.begin(), memory.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  memory.erase(std::unique(memory.begin(), memory.end(), same), memory.end());
  const pulse::UserRows runtime = pulse::as_served(memory);
  const pulse::Selection selection = pulse::select_accounts(accounts, rules);
  const auto plan = pulse::plan_users({pulse::kMysqlUsers, selection, memory, runtime, {}, "mark", 20, false});
  for (const pulse::UserRow& row : plan.writes) {
    expect(pulse::is_ours(row, "mark"), "only rows with the mark are written");
    for (const pulse::UserRow& there : memory) {
      expect(there.name != row.name || pulse::is_ours(there, "mark"), "nobody else's row is written");
    }
  }
  if (!plan.refusal.empty()) return 0;
  expect(!plan.served.empty(), "nothing empty is loaded");
  for (const pulse::UserRow& there : memory) {
    if (pulse::is_ours(there, "mark")) continue;
    expect(std::find(plan.memory.begin(), plan.memory.end(), there) != plan.memory.end(), "others' rows stay");
  }
  if (!plan.writes.empty()) static_cast<void>(pulse::write_users(pulse::kMysqlUsers, plan.writes, "mark"));
  return 0;
}
