#include "daemon/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::HasSubstr;

HttpRequest request(std::vector<HttpHeader> headers = {}, bool loopback = false) {
  HttpRequest request;
  request.remote_address = "10.0.0.9";
  request.remote_is_loopback = loopback;
  request.headers = std::move(headers);
  return request;
}

TEST(WhyRefused, LoopbackNeedsNoToken) {
  EXPECT_EQ("", why_refused(request({}, true), ""));
  EXPECT_EQ("", why_refused(request({}, true), "secret"));
}

TEST(WhyRefused, ElsewhereNeedsTheTokenInOneOfTwoHeaders) {
  EXPECT_EQ("", why_refused(request({{"Authorization", "Bearer secret"}}), "secret"));
  EXPECT_EQ("", why_refused(request({{"authorization", "bearer  secret "}}), "secret"));
  EXPECT_EQ("", why_refused(request({{"X-Pulse-Token", " secret"}}), "secret"));
  // An Authorization header of another kind, from a proxy say, doesn't hide the other one.
  EXPECT_EQ("", why_refused(request({{"Authorization", "Basic eDp5"}, {"X-Pulse-Token", "secret"}}), "secret"));
}

TEST(WhyRefused, SaysWhich) {
  EXPECT_THAT(why_refused(request(), ""), HasSubstr("token_file isn't set"));
  EXPECT_THAT(why_refused(request({{"X-Pulse-Token", "secret"}}), ""), HasSubstr("token_file isn't set"));
  EXPECT_THAT(why_refused(request(), "secret"), HasSubstr("10.0.0.9 without a token"));
  EXPECT_THAT(why_refused(request({{"X-Pulse-Token", ""}}), "secret"), HasSubstr("without a token"));
  for (const char* wrong : {"secre", "secrets", "Secret", "s", "secretsecret"}) {
    EXPECT_THAT(why_refused(request({{"X-Pulse-Token", wrong}}), "secret"), HasSubstr("is not the one")) << wrong;
    EXPECT_THAT(why_refused(request({{"Authorization", std::string("Bearer ") + wrong}}), "secret"),
                HasSubstr("is not the one"))
        << wrong;
  }
}

}  // namespace
}  // namespace pulse
