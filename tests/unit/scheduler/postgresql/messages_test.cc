#include "scheduler/postgresql/messages.h"

#include <gtest/gtest.h>

namespace pulse::pgsql {
namespace {

using namespace std::string_literals;

TEST(Messages, AreMadeAsTheProtocolHasThem) {
  EXPECT_EQ("\0\0\0\x08\x04\xd2\x16\x2f"s, ssl_request());
  EXPECT_EQ("Q\0\0\0\x0dSELECT 1\0"s, query("SELECT 1"));
  EXPECT_EQ("X\0\0\0\x04"s, terminate());
  EXPECT_EQ("p\0\0\0\x07pw\0"s, password("pw"));
  EXPECT_EQ("p\0\0\0\x19SCRAM-SHA-256\0\0\0\0\x03n,,"s, sasl_initial("SCRAM-SHA-256", "n,,"));
  const std::string begin = startup("app", "db");
  EXPECT_EQ("\0\x03\0\0user\0app\0database\0db\0"s, begin.substr(4, 25));
  EXPECT_EQ("\0\0"s, begin.substr(begin.size() - 2));
}

TEST(Messages, AreCutOutOfWhateverPiecesCome) {
  const std::string bytes = "Z\0\0\0\x05IC\0\0\0\x0dSELECT 1\0R\0\0\0\x08\0\0\0\0"s;
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    MessageReader reader;
    std::string types;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::string_view(bytes).substr(at, piece));
      for (auto message = reader.next(); message && *message; message = reader.next()) types += (*message)->type;
    }
    EXPECT_EQ("ZCR", types) << piece;
  }
}

TEST(Messages, AreTooLongBeforeTheyAreRead) {
  for (const std::string& head : {"D\x7f\xff\xff\xff"s, "D\0\x10\0\x01"s, "D\0\0\0\x03"s, "HTTP/1.1 400"s}) {
    MessageReader reader;
    reader.add(head);
    EXPECT_FALSE(reader.next()) << head;
  }
}

TEST(Messages, ErrorsAreShownWithTheirCode) {
  EXPECT_EQ("FATAL: no such role (28000)", error_text("SFATAL\0C28000\0Mno such role\0\0"s));
  EXPECT_EQ("error: ", error_text(""));
  EXPECT_EQ("ERROR: a b", error_text("SERROR\0Ma\nb\0\0"s));
  EXPECT_LT(error_text("SERROR\0M"s + std::string(5000, 'x') + "\0\0"s).size(), 600u);
}

TEST(Messages, RowsAreTakenApart) {
  const std::string described = "\0\x02"s + "a\0"s + std::string(18, 'x') + "bc\0"s + std::string(18, 'x');
  const auto names = row_description(described);
  ASSERT_TRUE(names);
  EXPECT_EQ((std::vector<std::string_view>{"a", "bc"}), *names);
  const std::string row = "\0\x03\0\0\0\x01x\xff\xff\xff\xff\0\0\0\0"s;
  const auto cells = data_row(row);
  ASSERT_TRUE(cells);
  EXPECT_EQ((std::vector<std::optional<std::string_view>>{"x", std::nullopt, ""}), *cells);
}

TEST(Messages, RowsThatEndEarlyOrLateAreNone) {
  const std::string row = "\0\x02\0\0\0\x01x\0\0\0\x01y"s;
  ASSERT_TRUE(data_row(row));
  for (size_t size = 0; size < row.size(); ++size) EXPECT_FALSE(data_row(row.substr(0, size))) << size;
  EXPECT_FALSE(data_row(row + "z"));
  EXPECT_FALSE(row_description("\xff\xff"s));
}

TEST(Messages, MechanismsEndWithAnEmptyOne) {
  const std::string two = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"s;
  EXPECT_EQ((std::vector<std::string_view>{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}), sasl_mechanisms(two));
  EXPECT_TRUE(sasl_mechanisms("").empty());
}

}  // namespace
}  // namespace pulse::pgsql
