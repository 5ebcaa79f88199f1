#include "daemon/dns/name_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "tests/temp_dir.h"
#include "tests/unit/daemon/dns/dns_double.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using test::DnsDouble;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = NameAnswer::Kind;

class NameLookupTest : public ::testing::Test {
 protected:
  NameAnswer look(const std::string& host, milliseconds within = seconds(10), int stop_fd = -1) {
    return look_up(host, Deadline::after(within), stop_fd, {dir_ / "hosts", dir_ / "resolv.conf", port_});
  }
  void resolv_conf(const std::string& more = "") { dir_.write("resolv.conf", "nameserver 127.0.0.1\n" + more); }
  long asked(const std::string& question) {
    const auto all = dns_.asked();
    return std::count(all.begin(), all.end(), question);
  }

  test::TempDir dir_;
  DnsDouble dns_;
  uint16_t port_ = dns_.port();
};

TEST(NamesToAsk, AreThoseOfThePodsResolvConf) {
  const std::vector<std::string> pod = {"ns.svc.cluster.local", "svc.cluster.local", "cluster.local"};
  EXPECT_THAT(names_to_ask("core", {5, pod}),
              ElementsAre("core.ns.svc.cluster.local", "core.svc.cluster.local", "core.cluster.local", "core"));
  EXPECT_THAT(names_to_ask("a.b.c.d.e.f", {5, {"x"}}), ElementsAre("a.b.c.d.e.f", "a.b.c.d.e.f.x")) << "five dots";
  EXPECT_THAT(names_to_ask("a.b", {1, {"x"}}), ElementsAre("a.b", "a.b.x"));
  EXPECT_THAT(names_to_ask("core.", {5, pod}), ElementsAre("core."));
  EXPECT_THAT(names_to_ask("core", {5, {}}), ElementsAre("core"));
  EXPECT_THAT(names_to_ask("core", {5, {".", ".x"}}), ElementsAre("core.x", "core"));
}

TEST(SearchRules, AreTheLastOnesOfTheFile) {
  const SearchRules pod = search_rules(
      "search ns.svc.cluster.local svc.cluster.local\tcluster.local\nnameserver 10.0.0.10\noptions ndots:5 edns0\n",
      "h.x");
  EXPECT_EQ(5, pod.ndots);
  EXPECT_THAT(pod.domains, ElementsAre("ns.svc.cluster.local", "svc.cluster.local", "cluster.local"));
  EXPECT_THAT(search_rules("search a\ndomain b c\n", "h").domains, ElementsAre("b"));
  EXPECT_THAT(search_rules("domain b\r\nsearch a c", "h").domains, ElementsAre("a", "c"));
  EXPECT_EQ(1, search_rules("# options ndots:3\n;options ndots:4\noptions ndots:x\n", "h").ndots);
  EXPECT_EQ(15, search_rules("options ndots:99\n", "h").ndots);
  EXPECT_THAT(search_rules("", "host.example.org").domains, ElementsAre("example.org"));
  EXPECT_TRUE(search_rules("", "host").domains.empty());
}

TEST(AddressesInHosts, AreThoseOfAllLinesOfTheName) {
  const char* const text =
      "# 10.0.0.9 core\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n10.0.0.1 a core # comment core2\n"
      "10.0.0.2 CORE\r\nnonsense core\n10.0.0.3";
  EXPECT_THAT(addresses_in_hosts(text, "core"), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(addresses_in_hosts(text, "Core."), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(addresses_in_hosts(text, "localhost"), ElementsAre("127.0.0.1", "::1"));
  EXPECT_TRUE(addresses_in_hosts(text, "core2").empty());
  EXPECT_TRUE(addresses_in_hosts(text, "cor").empty());
  EXPECT_TRUE(addresses_in_hosts("", "core").empty());
}

TEST_F(NameLookupTest, BothFamiliesWithTheShortestTtl) {
  resolv_conf();
  dns_.tell("core.example", {.records = {{"10.0.0.1", 30}, {"10.0.0.2", 5}, {"fd00::1", 7}}});
  const NameAnswer answer = look("core.example");
  EXPECT_EQ(Kind::addresses, answer.kind) << answer.error;
  EXPECT_THAT(answer.addresses, ElementsAre("10.0.0.1", "10.0.0.2", "fd00::1"));
  EXPECT_EQ(seconds(5), answer.ttl);
  EXPECT_FALSE(answer.partial);
}

TEST_F(NameLookupTest, TheHostsFileComesFirstAndKnowsNoTtl) {
  resolv_conf();
  dir_.write("hosts", "10.0.0.7 core\n");
  dns_.tell("core", {.records = {{"10.0.0.1"}}});
  const NameAnswer answer = look("core");
  EXPECT_THAT(answer.addresses, ElementsAre("10.0.0.7"));
  EXPECT_FALSE(answer.ttl);
  EXPECT_TRUE(dns_.asked().empty());
  EXPECT_THAT(look("10.1.2.3").addresses, ElementsAre("10.1.2.3"));
  EXPECT_THAT(look("fd00::2").addresses, ElementsAre("fd00::2"));
  EXPECT_THAT(look("0x7f000009").addresses, ElementsAre("127.0.0.9"));
  EXPECT_THAT(look("127.9").addresses, ElementsAre("127.0.0.9"));
  EXPECT_TRUE(dns_.asked().empty());
}

TEST_F(NameLookupTest, SearchesAsAPodDoes) {
  resolv_conf("search ns.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n");
  dns_.tell("core.other.svc.cluster.local", {.records = {{"10.0.0.1"}}});
  EXPECT_THAT(look("core.other").addresses, ElementsAre("10.0.0.1"));
  EXPECT_EQ(1, asked("udp A core.other.ns.svc.cluster.local"));
  EXPECT_EQ(0, asked("udp A core.other")) << "found before";
  dns_.tell("a.b.c.d.e.f", {.records = {{"10.0.0.2"}}});
  EXPECT_THAT(look("a.b.c.d.e.f").addresses, ElementsAre("10.0.0.2"));
  EXPECT_EQ(0, asked("udp A a.b.c.d.e.f.cluster.local"));
}

TEST_F(NameLookupTest, OnlyNxdomainOfAllSaysThatThereIsNoSuchName) {
  resolv_conf("search one two\n");
  EXPECT_EQ(Kind::no_such_name, look("pod-1").kind);
  EXPECT_EQ("look up pod-1: Domain name not found", look("pod-1").error);
  dns_.tell("pod-1.one", {.rcode = 2});
  EXPECT_EQ(Kind::failed, look("pod-1").kind) << "SERVFAIL of one of the names";
  dns_.tell("pod-1.one", {.rcode = 5});
  EXPECT_EQ(Kind::failed, look("pod-1").kind) << "REFUSED";
  dns_.tell("pod-1.one", {.rcode = 3, .rcode_v6 = 2});
  EXPECT_EQ(Kind::failed, look("pod-1").kind) << "SERVFAIL of one family";
  dns_.tell("pod-1.one", {});
  EXPECT_EQ("look up pod-1: it has no address", look("pod-1").error);
  EXPECT_EQ(Kind::failed, look("pod-1").kind);
  dns_.tell("pod-1", {.records = {{"10.0.0.1"}}});
  EXPECT_THAT(look("pod-1").addresses, ElementsAre("10.0.0.1"));
}

TEST_F(NameLookupTest, AFamilyThatFailsMakesItPartial) {
  resolv_conf();
  dns_.tell("core", {.records = {{"10.0.0.1"}}, .rcode_v6 = 2});
  const NameAnswer answer = look("core");
  EXPECT_EQ(Kind::addresses, answer.kind);
  EXPECT_TRUE(answer.partial);
}

TEST_F(NameLookupTest, AnAnswerThatIsTooLongForADatagramComesByTcp) {
  resolv_conf();
  DnsDouble::Answer many{.truncated = true};
  for (int i = 0; i < 1000; ++i) {
    many.records.push_back({"10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250)});
  }
  dns_.tell("core", many);
  EXPECT_EQ(1000u, look("core").addresses.size());
  EXPECT_EQ(1, asked("tcp A core"));
}

TEST_F(NameLookupTest, ALostDatagramIsSentAgain) {
  resolv_conf();
  dns_.tell("core", {.records = {{"10.0.0.1"}}, .lost = 2});
  const int64_t began = monotonic_ns();
  EXPECT_THAT(look("core").addresses, ElementsAre("10.0.0.1"));
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(4));
}

TEST_F(NameLookupTest, EndsAtTheDeadlineOrWhenItIsStopped) {
  resolv_conf("search one two\n");
  for (const char* name : {"core", "core.one", "core.two"}) dns_.tell(name, {.lost = -1});
  int64_t began = monotonic_ns();
  const NameAnswer late = look("core", milliseconds(200));
  EXPECT_EQ(Kind::failed, late.kind);
  EXPECT_EQ("look up core: no answer in time", late.error);
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(2));

  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  std::thread stopper([&] {
    const Deadline patience = Deadline::after(seconds(5));
    const auto before = dns_.asked().size();
    while (dns_.asked().size() < before + 2 && !patience.passed()) std::this_thread::yield();
    ::eventfd_write(stop.get(), 1);
  });
  began = monotonic_ns();
  EXPECT_EQ(Kind::failed, look("core", seconds(30), stop.get()).kind);
  stopper.join();
  EXPECT_LT(nanoseconds(monotonic_ns() - began), seconds(8));
}

TEST_F(NameLookupTest, WhereNobodyAnswersSaysSo) {
  resolv_conf();
  port_ = test::free_port();
  const NameAnswer answer = look("core");
  EXPECT_EQ(Kind::failed, answer.kind);
  EXPECT_THAT(answer.error, HasSubstr("look up core: Could not contact DNS servers"));
}

TEST_F(NameLookupTest, AsksTheNextServer) {
  dir_.write("resolv.conf", "nameserver 127.0.0.3\nnameserver 127.0.0.1\n");
  dns_.tell("core", {.records = {{"10.0.0.1"}}});
  EXPECT_THAT(look("core").addresses, ElementsAre("10.0.0.1"));
}

}  // namespace
}  // namespace pulse
