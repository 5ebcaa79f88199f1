#include "daemon/page/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace pulse {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string header(const HttpResponse& response, const std::string& name) {
  for (const HttpHeader& one : response.headers) {
    if (one.name == name) return one.value;
  }
  return "";
}

TEST(PageTest, IsOneSmallFileThatNeedsNothingElse) {
  const std::string text(page_text());
  EXPECT_LE(text.size(), 30U << 10);
  EXPECT_THAT(text, HasSubstr("</html>"));
  for (const char* from_elsewhere : {"http:", "https:", "//cdn", " src=", " href=", "@import", "url("}) {
    EXPECT_THAT(text, Not(HasSubstr(from_elsewhere)));
  }
}

TEST(PageTest, WritesTextAndNeverMarkupAndCallsNothingThatChanges) {
  const std::string text(page_text());
  for (const char* unsafe : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("}) {
    EXPECT_THAT(text, Not(HasSubstr(unsafe)));
  }
  const std::regex handler(R"(\son[a-z]+=)");
  EXPECT_FALSE(std::regex_search(text, handler)) << "the policy would refuse it";
  const std::regex fetched("fetch\\(\"([^\"]*)\"");
  size_t calls = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), fetched), end; at != end; ++at, ++calls) {
    EXPECT_EQ("/status", (*at)[1]);
  }
  EXPECT_EQ(1U, calls);
  EXPECT_THAT(text, Not(HasSubstr("method:")));
}

TEST(PageTest, ItsPolicyAllowsItsOwnScriptAndStyleAndNothingElse) {
  const HttpResponse response = page_response();
  EXPECT_EQ(200, response.status);
  EXPECT_EQ("text/html; charset=utf-8", response.content_type);
  const std::string policy = header(response, "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; connect-src 'self'; "));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_TRUE(std::regex_search(policy, std::regex("script-src 'sha256-[A-Za-z0-9+/]{43}=';"))) << policy;
  EXPECT_TRUE(std::regex_search(policy, std::regex("style-src 'sha256-[A-Za-z0-9+/]{43}=';"))) << policy;
  EXPECT_EQ("nosniff", header(response, "X-Content-Type-Options"));
}

}  // namespace
}  // namespace pulse
