#include "daemon/http/known_requests.h"

#include <gtest/gtest.h>

namespace pulse {
namespace {

const std::string kHead = "GET /a HTTP/1.1\r\n\r\n";

TEST(KnownRequestsTest, IsKnownByItsBytes) {
  KnownRequests known;
  EXPECT_EQ(nullptr, known.find(""));
  EXPECT_EQ(nullptr, known.find(kHead));
  known.remember(kHead, {}, false, true);
  ASSERT_NE(nullptr, known.find(kHead));
  EXPECT_EQ(kHead, known.find(kHead + "GET")->head);
  EXPECT_EQ(nullptr, known.find(kHead.substr(0, kHead.size() - 1)));
  EXPECT_EQ(nullptr, known.find("GET /b HTTP/1.1\r\n\r\n"));
}

TEST(KnownRequestsTest, StrangersFillNoMemory) {
  KnownRequests known;
  known.remember(kHead, {}, false, true);
  const std::string large = "GET /" + std::string(2000, 'x') + " HTTP/1.1\r\n\r\n";
  known.remember(large, {}, false, true);
  EXPECT_EQ(nullptr, known.find(large));
  for (int i = 0; i < 100; ++i) known.remember("GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n", {}, false, true);
  EXPECT_EQ(nullptr, known.find(kHead));
  EXPECT_NE(nullptr, known.find("GET /99 HTTP/1.1\r\n\r\n"));
}

TEST(KnownRequestsTest, AnAnswersHeaderIsKeptForAnswersLikeIt) {
  KnownRequest known;
  std::string out;
  const HttpResponse first{200, "one"};
  EXPECT_FALSE(known.write(first, out));
  known.learn(first, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
  EXPECT_TRUE(known.write({200, "two"}, out));
  EXPECT_EQ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo", out);
  EXPECT_FALSE(known.write({503, "two"}, out));
  EXPECT_FALSE(known.write({200, "three"}, out));
  EXPECT_FALSE(known.write({200, "two", "text/plain"}, out));
  EXPECT_FALSE(known.write({200, "two", "application/json", {{"Allow", "GET"}}}, out));
}

TEST(KnownRequestsTest, AnAnswerThatIsntItsBodyAfterAHeaderTeachesNothing) {
  KnownRequest known;
  std::string out;
  known.learn({200, "one"}, "HTTP/1.1 400 Bad Request\r\n\r\nno");
  EXPECT_FALSE(known.write({200, "one"}, out));
  known.learn({200, "one", "text/plain", {{"Allow", "GET"}}}, "HTTP/1.1 200 OK\r\n\r\none");
  EXPECT_FALSE(known.write({200, "one", "text/plain"}, out));
  known.learn({200, ""}, "HTTP/1.1 200 OK\r\n");
  EXPECT_FALSE(known.write({200, ""}, out));
}

}  // namespace
}  // namespace pulse
