#include "daemon/http/message.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

TEST(HttpMessage, TheFirstHeaderOfANameCounts) {
  HttpRequest request;
  request.headers = {{"X-One", "1"}, {"x-two", "2"}, {"X-ONE", "3"}};
  EXPECT_EQ("1", request.header("x-one"));
  EXPECT_EQ("2", request.header("X-Two"));
  EXPECT_EQ("", request.header("X-On"));
}

TEST(HttpMessage, AnErrorIsJson) {
  const HttpResponse error = http_error(408, "too late");
  EXPECT_EQ(408, error.status);
  EXPECT_EQ("application/json", error.content_type);
  EXPECT_EQ("{\"status\":\"error\",\"message\":\"too late\"}\n", error.body);
}

}  // namespace
}  // namespace pulse
