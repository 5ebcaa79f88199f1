#include "daemon/kubernetes/api_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Notes all that it is told of, but for what is in "/skipped".
class Noting : public JsonWalker {
 public:
  std::vector<std::string> notes;

 private:
  bool wants(const std::string& path) const override { return path != "/skipped"; }
  void on_object_begin(const std::string& path) override { notes.push_back(path + " {"); }
  void on_object_end(const std::string& path) override { notes.push_back(path + " }"); }
  void on_text(const std::string& path, std::string& value) override { notes.push_back(path + "=" + value); }
  void on_number(const std::string& path, int64_t value) override {
    notes.push_back(path + "=" + std::to_string(value));
  }
};

TEST(ApiJson, IsToldByPath) {
  Noting walker;
  EXPECT_EQ("", walk_json(R"({"a":"x","skipped":{"b":"y","c":[{}]},"list":[{"n":7},{"n":-1}],"t":true})", walker));
  EXPECT_THAT(walker.notes,
              ElementsAre(" {", "/a=x", "/list {", "/list/n=7", "/list }", "/list {", "/list/n=-1", "/list }", " }"));
}

TEST(ApiJson, WhatIsNoneIsSaid) {
  Noting cut, deep;
  EXPECT_THAT(walk_json(R"({"a":)", cut), HasSubstr("malformed JSON at byte 6"));
  EXPECT_EQ("nested too deep", walk_json(std::string(200, '['), deep));
}

TEST(ApiJson, StatusMessages) {
  EXPECT_EQ("no", parse_status_message(R"({"kind":"Status","details":{"message":"x"},"message":"no","code":403})"));
  EXPECT_EQ("", parse_status_message(R"({"kind":"Pod","message":"no"})"));
  EXPECT_EQ("", parse_status_message("<html>502</html>"));
}

}  // namespace
}  // namespace pulse
