#include "src/base/host_port.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(HostPort, AddressesAreNoNames) {
  for (const char* address : {"10.0.0.1", "fd00::1", "::", "::ffff:10.0.0.1"}) EXPECT_TRUE(is_address(address));
  for (const char* none : {"", "core-0", "10.0.0", "[fd00::1]", "10.0.0.1:6032"}) EXPECT_FALSE(is_address(none));
}

TEST(HostPort, BracketsAreForIpv6) {
  EXPECT_EQ("10.0.0.1:6032", host_port_text("10.0.0.1", 6032));
  EXPECT_EQ("core-0:6032", host_port_text("core-0", 6032));
  EXPECT_EQ("[fd00::1]:6032", host_port_text("fd00::1", 6032));
}

TEST(HostPort, IsReadWithAndWithoutItsPort) {
  const auto shown = [](const char* text) {
    const auto read = parse_host_port(text, 6032);
    return read ? read->host + " " + std::to_string(read->port) : "none";
  };
  EXPECT_EQ("10.0.0.1 6032", shown("10.0.0.1"));
  EXPECT_EQ("10.0.0.1 7", shown("10.0.0.1:7"));
  EXPECT_EQ("core-0.cores 65535", shown("core-0.cores:65535"));
  EXPECT_EQ("fd00::1 6032", shown("fd00::1"));
  EXPECT_EQ("fd00::1 6032", shown("[fd00::1]"));
  EXPECT_EQ("fd00::1 7", shown("[fd00::1]:7"));
  for (const char* bad :
       {"", ":", ":7", "[]", "[]:7", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "10.0.0.1:7 ",
        "10.0.0.1:-7", "10.0.0.1:99999999999999999999", "[fd00::1", "[fd00::1]7", "[fd00::1]:", "[fd00::1]:7]"}) {
    EXPECT_EQ("none", shown(bad)) << bad;
  }
  EXPECT_EQ(std::nullopt, parse_host_port("core-0", 0)) << "no port at all";
  EXPECT_EQ((HostPort{"core-0", 7}), parse_host_port("core-0:7", 0));
}

}  // namespace
}  // namespace pulse
