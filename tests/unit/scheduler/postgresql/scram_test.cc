#include "scheduler/postgresql/scram.h"

#include <gtest/gtest.h>

namespace pulse::pgsql {
namespace {

// The example of RFC 7677, but for the user's name, which PostgreSQL takes from elsewhere: recorded with an empty one.
constexpr const char* kNonce = "rOprNGfwEbeRWgbNEkqO";
const std::string kServerNonce = std::string(kNonce) + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const std::string kServerFirst = "r=" + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

TEST(Scram, BeginsWithoutChannelBindingAndWithoutAName) { EXPECT_EQ("n,,n=,r=abc", Scram("pencil", "abc").first()); }

TEST(Scram, AnswersWithTheProof) {
  Scram scram("pencil", kNonce);
  const auto answer = scram.answer(kServerFirst);
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_EQ("c=biws,r=" + kServerNonce, answer->substr(0, answer->find(",p=")));
  EXPECT_EQ(",p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k=", answer->substr(answer->find(",p=")));
  EXPECT_TRUE(scram.proves("v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg="));
  EXPECT_FALSE(scram.proves("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
  EXPECT_FALSE(scram.proves("e=invalid-proof"));
  EXPECT_FALSE(scram.proves(""));
}

TEST(Scram, ProvesNothingBeforeItHasAnswered) { EXPECT_FALSE(Scram("pencil", kNonce).proves("v=")); }

TEST(Scram, TakesNoMessageThatIsntOne) {
  for (const std::string& text :
       {std::string(), std::string("r="), "r=" + kServerNonce, "r=" + kServerNonce + ",s=,i=4096",
        "r=" + kServerNonce + ",s=!!!!,i=4096", "r=" + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=" + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=x", std::string("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"),
        "r=" + std::string(kNonce) + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        // A server that would have us reckon for an hour.
        "r=" + kServerNonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000000000"}) {
    EXPECT_FALSE(Scram("pencil", kNonce).answer(text)) << text;
  }
}

TEST(Scram, NoncesDifferAndHaveNoComma) {
  const std::string one = random_nonce(), other = random_nonce();
  EXPECT_EQ(24u, one.size());
  EXPECT_NE(one, other);
  EXPECT_EQ(std::string::npos, (one + other).find(','));
}

TEST(Md5, AnswersAsPostgresqlWantsIt) {
  EXPECT_EQ("md5911f527656472583a006e7727877b33e", md5_answer("app", "secret", "\x01\x02\x03\x04"));
}

}  // namespace
}  // namespace pulse::pgsql
