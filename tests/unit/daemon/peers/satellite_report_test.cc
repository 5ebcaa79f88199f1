#include "daemon/peers/satellite_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "shm/segment/layout_proxysql.h"
#include "shm/segment/text.h"

namespace pulse {
namespace {

using nlohmann::json;

constexpr int64_t kNow = 1'000'000'000'000;

json module(const std::string& name, const json& stuck_for_ms, const std::string& origin = "here") {
  return {{"name", name},
          {"version", 4},
          {"epoch", 1'700'000'000},
          {"checksum", "0x1"},
          {"origin", origin},
          {"peers_checksum", "0x2"},
          {"stuck_for_ms", stuck_for_ms}};
}

json status(const json& modules, const std::string& role = "satellite") {
  return {{"role", role}, {"observed_age_ms", 1500}, {"proxysql", {{"uptime_ms", 7}, {"modules", modules}}}};
}

std::vector<StuckModule> stuck(const json& from) {
  const auto parsed = parse_satellite_report(from.dump(), kNow);
  EXPECT_TRUE(parsed) << parsed.error().text;
  EXPECT_TRUE(parsed && *parsed);
  return parsed && *parsed ? (**parsed).stuck : std::vector<StuckModule>();
}

TEST(SatelliteReportTest, NamesTheModulesThatAreStuck) {
  const auto found = stuck(status({module("mysql_users", 61'000), module("mysql_servers_v2", nullptr, "core"),
                                   module("mysql_query_rules", 0, "unknown")}));
  ASSERT_EQ(2u, found.size());
  EXPECT_EQ("mysql_users", text(found[0].module));
  EXPECT_EQ("0x1", text(found[0].checksum));
  EXPECT_EQ("0x2", text(found[0].peers_checksum));
  EXPECT_EQ(1'700'000'000, found[0].epoch);
  EXPECT_EQ(kNow - 61'000'000'000, found[0].since_ns);
  EXPECT_EQ(kNow - 1'500'000'000, found[0].seen_ns);
  EXPECT_EQ(static_cast<uint8_t>(ModuleOrigin::here), found[0].origin);
  EXPECT_EQ(static_cast<uint8_t>(ModuleOrigin::unknown), found[1].origin);
}

TEST(SatelliteReportTest, AnOlderPulseSaysNothing) {
  json old = module("mysql_users", 61'000);
  old.erase("origin");
  const auto parsed = parse_satellite_report(status({old}).dump(), kNow);
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(*parsed);
}

TEST(SatelliteReportTest, ACoreAndNonsenseAreErrors) {
  EXPECT_FALSE(parse_satellite_report(status({module("mysql_users", 61'000)}, "core").dump(), kNow));
  EXPECT_FALSE(parse_satellite_report("{\"role\": \"satellite\", ", kNow));
  EXPECT_FALSE(parse_satellite_report("{}", kNow));
}

TEST(SatelliteReportTest, WhatCantBeRightIsPassedOver) {
  json no_epoch = module("mysql_users", 61'000), no_peers = no_epoch, endless = no_epoch, odd = no_epoch;
  no_epoch["epoch"] = 0;
  no_peers["peers_checksum"] = "";
  endless["stuck_for_ms"] = INT64_MAX;
  odd["checksum"] = 7;
  EXPECT_TRUE(stuck(status({no_epoch, no_peers, endless, odd, module("mysql_users", -1),
                            module("mysql_variables", 61'000), module("proxysql_servers", 61'000),
                            module("mysql_servers", 61'000), module("pgsql_users", 61'000)}))
                  .empty());
  json no_age = status({module("mysql_users", 61'000)});
  no_age.erase("observed_age_ms");
  EXPECT_TRUE(stuck(no_age).empty());
}

}  // namespace
}  // namespace pulse
