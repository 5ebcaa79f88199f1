#include "scheduler/users/hashes.h"

#include <gtest/gtest.h>

#include <string>

namespace pulse {
namespace {

const std::string kNative = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

// As MySQL 8 wrote them for the password "secret": the salt has any byte from 1 to 127 but '$'.
const std::string kBinarySha2 = std::string("$A$005$") + "\x01\x7f' \"\\\n\t;-/*\x1b\x02\x03\x04\x05\x06\x07\x08" +
                                "Zx1eSnrJJHVcKEZNT0pEk/8h5QOk0d.5AbCdEfGhIjK";

const std::string kScram =
    "SCRAM-SHA-256$4096:YWJjZGVmZ2hpamtsbW5vcA==$"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

TEST(Hashes, ANativeHashIsAStarAndFortyCapitalDigits) {
  EXPECT_TRUE(is_native_hash(kNative));
  EXPECT_FALSE(is_native_hash("*2470c0c06dee42fd1618bb99005adca2ec9d1e19"));
  EXPECT_FALSE(is_native_hash(kNative + "0"));
  EXPECT_FALSE(is_native_hash(kNative.substr(1)));
  EXPECT_FALSE(is_native_hash("*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE"));
  EXPECT_FALSE(is_native_hash("invalid"));
  EXPECT_FALSE(is_native_hash(""));
}

TEST(Hashes, ACachingSha2HashHasSeventyBytesAndABinarySalt) {
  ASSERT_EQ(70u, kBinarySha2.size());
  EXPECT_TRUE(is_caching_sha2_hash(kBinarySha2));
  EXPECT_FALSE(is_caching_sha2_hash(kBinarySha2.substr(1)));
  EXPECT_FALSE(is_caching_sha2_hash(kBinarySha2 + "a"));
  for (const auto& [place, bad] : {std::pair<size_t, char>{7, '\0'}, {10, '$'}, {20, '\x80'}, {69, '*'}, {30, ' '}}) {
    std::string hash = kBinarySha2;
    hash[place] = bad;
    EXPECT_FALSE(is_caching_sha2_hash(hash)) << place;
  }
}

// MySQL counts in hexadecimal, ProxySQL reads a decimal number, and ends itself at what is none.
TEST(Hashes, OtherRoundsThanProxysqlReadsAreNotTaken) {
  for (const char* rounds : {"00A", "00a", "010", "A00", "0x5", " 05", "-05", "000"}) {
    std::string hash = kBinarySha2;
    hash.replace(3, 3, rounds);
    EXPECT_FALSE(is_caching_sha2_hash(hash)) << rounds;
  }
}

TEST(Hashes, AScramVerifierHasItsThreeParts) {
  EXPECT_TRUE(is_scram_verifier(kScram));
  EXPECT_FALSE(is_scram_verifier(kScram.substr(0, kScram.size() - 1)));
  EXPECT_FALSE(is_scram_verifier(kScram + "="));
  for (const char* bad :
       {"SCRAM-SHA-256$", "SCRAM-SHA-256$4096:", "SCRAM-SHA-256$x:YQ==$a:b", "SCRAM-SHA-1$4096:YQ=="}) {
    EXPECT_FALSE(is_scram_verifier(bad)) << bad;
  }
  std::string none = kScram;
  none.replace(none.find("4096"), 4, "0");
  EXPECT_FALSE(is_scram_verifier(none));
}

TEST(Hashes, AnMd5VerifierIsToldApart) {
  EXPECT_TRUE(is_md5_verifier("md5d41d8cd98f00b204e9800998ecf8427e"));
  EXPECT_FALSE(is_md5_verifier("md5D41d8cd98f00b204e9800998ecf8427e"));
  EXPECT_FALSE(is_md5_verifier("md5"));
}

}  // namespace
}  // namespace pulse
