#include "src/base/hmac.h"

#include <gtest/gtest.h>

#include <string>

namespace pulse {
namespace {

std::string hex(std::string_view key, std::string_view message) {
  std::string text;
  for (const uint8_t byte : hmac_sha256(key, message)) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

// RFC 4231, test cases 1, 2 and 6.
TEST(Hmac, IsTheStandardsOne) {
  EXPECT_EQ("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            hex(std::string(20, '\x0b'), "Hi There"));
  EXPECT_EQ("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            hex("Jefe", "what do ya want for nothing?"));
  EXPECT_EQ("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"));
}

}  // namespace
}  // namespace pulse
