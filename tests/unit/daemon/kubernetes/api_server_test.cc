#include "daemon/kubernetes/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pulse {
namespace {

using ::testing::HasSubstr;

TEST(ApiServerTest, ReadsUrls) {
  struct Case {
    const char* url;
    const char* host;  // null: refused
    uint16_t port;
  };
  const Case cases[] = {
      {"https://10.0.0.1", "10.0.0.1", 443},
      {"https://10.0.0.1:6443/", "10.0.0.1", 6443},
      {"https://[fd00::1]:6443", "fd00::1", 6443},
      {"https://[fd00::1]", "fd00::1", 443},
      {"https://kubernetes.default.svc", "kubernetes.default.svc", 443},
      {"http://10.0.0.1", nullptr, 0},
      {"https://", nullptr, 0},
      {"https://host:0", nullptr, 0},
      {"https://host:65536", nullptr, 0},
      {"https://host:", nullptr, 0},
      {"https://fd00::1", nullptr, 0},
      {"https://a:b:6443", nullptr, 0},
      {"https://:6443", nullptr, 0},
      {"https://[fd00::1]6443", nullptr, 0},
      {"https://[fd00::1", nullptr, 0},
      {"https://host/path", nullptr, 0},
      {"https://user@host", nullptr, 0},
      {"https://ho st", nullptr, 0},
  };
  for (const Case& test : cases) {
    const auto server = parse_api_url(test.url);
    ASSERT_EQ(test.host != nullptr, static_cast<bool>(server)) << test.url;
    if (!server) continue;
    EXPECT_EQ(test.host, server->host);
    EXPECT_EQ(test.port, server->port);
  }
  EXPECT_EQ("https://[fd00::1]:443", parse_api_url("https://[fd00::1]")->url());
}

TEST(ApiServerTest, FindsTheServer) {
  EXPECT_EQ("https://a:1", find_api_server("https://a:1", "10.0.0.1", "443")->url());
  EXPECT_EQ("https://10.0.0.1:6443", find_api_server("", "10.0.0.1", "6443")->url());
  EXPECT_EQ("https://[fd00::1]:443", find_api_server("", "fd00::1", nullptr)->url());
  const auto none = find_api_server("", nullptr, nullptr);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text, HasSubstr("set pulse.discovery.kubernetes.api"));
}

TEST(ApiServerTest, EncodesQueries) {
  EXPECT_EQ("app%3Dproxysql%2Ccomponent%20in%20%28a%2Cb%29", percent_encode("app=proxysql,component in (a,b)"));
  EXPECT_EQ("a-b._~%C3%A9%26%25", percent_encode("a-b._~\xC3\xA9&%"));
}

}  // namespace
}  // namespace pulse
