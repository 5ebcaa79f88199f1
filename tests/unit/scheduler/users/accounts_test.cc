#include "scheduler/users/accounts.h"

#include <gtest/gtest.h>

#include <functional>

namespace pulse {
namespace {

const std::string kHash = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
const std::string kOther = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B";
const std::string kSha2 = "$A$005$abcdefghijklmnopqrst" + std::string(43, 'x');

Account account(const std::string& name, const std::string& host = "%", const std::string& hash = kHash) {
  Account one;
  one.name = name;
  one.host = host;
  one.plugin = "mysql_native_password";
  one.hash = hash;
  return one;
}

Reason reason_of(Account one, const SelectionRules& rules = {}) {
  std::vector<Account> accounts = {std::move(one)};
  const Selection selection = select_accounts(accounts, rules);
  EXPECT_EQ(accounts[0].reason == Reason::taken ? 1u : 0u, selection.wanted.size());
  return accounts[0].reason;
}

Reason reason_with(const std::function<void(Account&)>& change, const SelectionRules& rules = {}) {
  Account one = account("app");
  change(one);
  return reason_of(one, rules);
}

TEST(Accounts, WhatCanLogInIsTaken) {
  EXPECT_EQ(Reason::taken, reason_of(account("app")));
  EXPECT_EQ(Reason::taken, reason_of(account("o'neil; DROP \xc3\xa4")));
  EXPECT_EQ(Reason::taken, reason_of(account(std::string(32, 'n'))));
  EXPECT_EQ(Reason::taken, reason_with([](Account& one) { one.plugin = ""; }));
  EXPECT_EQ(Reason::taken, reason_with([](Account& one) {
              one.plugin = "caching_sha2_password";
              one.hash = kSha2;
            }));
}

TEST(Accounts, WhatCannotLogInIsLeftOutWithItsReason) {
  EXPECT_EQ(Reason::role, reason_with([](Account& one) { one.role = true; }));
  EXPECT_EQ(Reason::locked, reason_with([](Account& one) { one.locked = true; }));
  EXPECT_EQ(Reason::expired, reason_with([](Account& one) { one.expired = true; }));
  EXPECT_EQ(Reason::no_password, reason_with([](Account& one) { one.hash = ""; }));
  EXPECT_EQ(Reason::bad_hash, reason_with([](Account& one) { one.hash = "invalid"; }));
  EXPECT_EQ(Reason::bad_hash, reason_with([](Account& one) { one.plugin = "caching_sha2_password"; }));
  EXPECT_EQ(Reason::method, reason_with([](Account& one) { one.plugin = "unix_socket"; }));
  EXPECT_EQ(Reason::method, reason_with([](Account& one) { one.plugin = "ed25519"; }));
  EXPECT_EQ(Reason::anonymous, reason_of(account("")));
  EXPECT_EQ(Reason::administrator, reason_with([](Account& one) { one.super = true; }));
  EXPECT_EQ(Reason::replication, reason_with([](Account& one) { one.replication = true; }));
  EXPECT_EQ(Reason::local, reason_of(account("app", "localhost")));
  for (const char* name :
       {"root", "mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "debian-sys-maint"}) {
    EXPECT_EQ(Reason::system, reason_of(account(name))) << name;
  }
  for (const std::string& name :
       {std::string("a\nb"), std::string("\xff"), std::string(200, 'a'), std::string("\x7f")}) {
    EXPECT_EQ(Reason::name, reason_of(account(name)));
  }
}

TEST(Accounts, ProxysqlsOwnUsersAreLeftOut) {
  SelectionRules rules;
  rules.credentials = {"admin", "stats"};
  rules.services = {"monitor"};
  EXPECT_EQ(Reason::credentials, reason_of(account("admin"), rules));
  EXPECT_EQ(Reason::credentials, reason_of(account("stats"), rules));
  EXPECT_EQ(Reason::service, reason_of(account("monitor"), rules));
}

TEST(Accounts, PatternsDecide) {
  SelectionRules rules;
  rules.include = {"app_*", "boss"};
  rules.exclude = {"*_old"};
  EXPECT_EQ(Reason::taken, reason_of(account("app_1"), rules));
  EXPECT_EQ(Reason::not_included, reason_of(account("web"), rules));
  EXPECT_EQ(Reason::excluded, reason_of(account("app_old"), rules));
}

TEST(Accounts, AnAdministratorThatIncludeNamesIsTaken) {
  const auto super = [](const char* name) {
    Account one = account(name);
    one.super = one.replication = true;
    return one;
  };
  SelectionRules rules;
  rules.include = {"boss", "chief*"};
  EXPECT_EQ(Reason::taken, reason_of(super("boss"), rules));
  EXPECT_EQ(Reason::administrator, reason_of(super("chief1"), rules));
}

TEST(Accounts, LocalAccountsWorkWhereTheServerIsLocal) {
  SelectionRules rules;
  rules.local_accounts = true;
  EXPECT_EQ(Reason::taken, reason_of(account("app", "localhost"), rules));
}

TEST(Accounts, HostsOfOneNameWithOneHashAreOneUser) {
  std::vector<Account> accounts = {account("app", "10.%"), account("app", "%"), account("app", "localhost", kOther)};
  const Selection selection = select_accounts(accounts, {});
  ASSERT_EQ(1u, selection.wanted.size());
  EXPECT_EQ(kHash, selection.wanted[0].hash);
  EXPECT_EQ("2 taken, 1 local", counts_text(count_reasons(accounts)));
}

TEST(Accounts, OfHostsWithDifferentHashesTheOneOfAllHostsCounts) {
  std::vector<Account> accounts = {account("app", "10.%", kOther), account("app", "%")};
  const Selection selection = select_accounts(accounts, {});
  ASSERT_EQ(1u, selection.wanted.size());
  EXPECT_EQ(kHash, selection.wanted[0].hash);
  EXPECT_EQ(Reason::hosts_differ, accounts[1].reason);
  EXPECT_TRUE(selection.kept.empty());
}

TEST(Accounts, WithoutOneOfAllHostsNoneIsTakenAndWhatIsThereStays) {
  std::vector<Account> accounts = {account("app", "10.%", kOther), account("app", "11.%")};
  const Selection selection = select_accounts(accounts, {});
  EXPECT_TRUE(selection.wanted.empty());
  EXPECT_EQ((std::set<std::string>{"app"}), selection.kept);
  EXPECT_EQ("0 taken, 2 hosts_differ", counts_text(count_reasons(accounts)));
}

TEST(Accounts, ALockedHostSaysNothingAgainstAnother) {
  std::vector<Account> accounts = {account("app", "10.%", kOther), account("app", "%")};
  accounts[0].locked = true;
  EXPECT_EQ(1u, select_accounts(accounts, {}).wanted.size());
}

TEST(Accounts, CachingSha2WaitsForProxysqlToHaveIt) {
  SelectionRules rules;
  rules.caching_sha2 = false;
  std::vector<Account> accounts = {account("app", "%", kSha2)};
  accounts[0].plugin = "caching_sha2_password";
  const Selection selection = select_accounts(accounts, rules);
  EXPECT_EQ(Reason::method_off, accounts[0].reason);
  EXPECT_EQ((std::set<std::string>{"app"}), selection.kept);
}

TEST(Accounts, PostgresqlsRolesHaveScramVerifiers) {
  SelectionRules rules;
  rules.pgsql = true;
  const std::string scram =
      "SCRAM-SHA-256$4096:YWJjZGVmZ2hpamtsbW5vcA==$" + std::string(43, 'a') + "=:" + std::string(43, 'b') + "=";
  const auto role = [](const std::string& name, const std::string& hash) {
    Account one;
    one.name = name;
    one.hash = hash;
    return one;
  };
  EXPECT_EQ(Reason::taken, reason_of(role("app", scram), rules));
  EXPECT_EQ(Reason::md5, reason_of(role("app", "md5d41d8cd98f00b204e9800998ecf8427e"), rules));
  EXPECT_EQ(Reason::bad_hash, reason_of(role("app", "clear"), rules));
  EXPECT_EQ(Reason::no_password, reason_of(role("app", ""), rules));
  EXPECT_EQ(Reason::system, reason_of(role("pg_read_all_data", scram), rules));
  EXPECT_EQ(Reason::system, reason_of(role("postgres", scram), rules));
}

}  // namespace
}  // namespace pulse
