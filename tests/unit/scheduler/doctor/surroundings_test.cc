#include "scheduler/doctor/surroundings.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(SurroundingsTest, ReadsTheKernelsTableOfConnections) {
  const auto rows = parse_tcp_table(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1790 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0\n"
      "   1: 0100007F:1790 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 20 4 30 10\n"
      "garbage\n"
      "   2: 0000000000000000FFFF00000100007F:1790 0000000000000000FFFF00000300000A:0010 01 00000000:00000000 "
      "00:00000000 00000000  1000        0 333 1 0 20\n"
      "   3: 00000000000000000000000001000000:1790 00000000000000000000000001000000:0011 06 00000000:00000000 "
      "00:00000000 00000000  1000        0 0 1 0 20\n");
  ASSERT_EQ(2U, rows.size()) << "one listens, and one is over";
  EXPECT_EQ("127.0.0.1", rows[0].remote);
  EXPECT_EQ(0xD431, rows[0].remote_port);
  EXPECT_EQ(6032, rows[0].local_port);
  EXPECT_EQ(222U, rows[0].inode);
  EXPECT_EQ("10.0.0.3", rows[1].remote);
  EXPECT_TRUE(parse_tcp_table("").empty());
}

TEST(SurroundingsTest, AnAddressNeedsNoResolverAndAnUnknownNameIsAnError) {
  const auto address = resolve_within("127.0.0.9", Deadline::after(milliseconds(0)));
  ASSERT_TRUE(address);
  EXPECT_EQ("127.0.0.9", address->front());
  EXPECT_FALSE(resolve_within("no.such.name.invalid", Deadline::after(milliseconds(500))));
}

}  // namespace
}  // namespace pulse
