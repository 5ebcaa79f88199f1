#include "daemon/health/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/base/clock.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

using ::testing::HasSubstr;

// A node that no beat has run on yet.
class ProbesTest : public ::testing::Test {
 protected:
  ProbesTest() {
    config_.role = Role::core;
    config_.state = dir_ / "none";
    config_.daemon.mysql_host = "127.0.0.1";
    state_.emplace(config_, "host");
    probes_.emplace(config_, *state_);
  }
  HttpResponse ask(const char* path, const char* method = "GET") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    return probes_->handle(request).value();
  }

  const test::TempDir dir_;
  Config config_;
  std::optional<NodeState> state_;
  std::optional<Probes> probes_;
};

TEST_F(ProbesTest, EachHasItsPath) {
  for (const char* path : {"/healthz/started", "/healthz/ready"}) EXPECT_EQ(503, ask(path).status) << path;
  EXPECT_EQ(200, ask("/healthz/live").status);
  EXPECT_THAT(ask("/healthz/ready").body, HasSubstr("\"readiness\""));
  EXPECT_THAT(probes_->readiness("SIGUSR1"), HasSubstr("\"SIGUSR1\""));
  EXPECT_EQ(200, ask("/status").status);
  EXPECT_EQ("application/json", ask("/status").content_type);
  const HttpResponse metrics = ask("/metrics");
  EXPECT_EQ(200, metrics.status);
  EXPECT_THAT(metrics.content_type, HasSubstr("text/plain"));
  EXPECT_THAT(metrics.body, HasSubstr("proxysql_pulse_build_info"));
  EXPECT_THAT(ask("/").content_type, HasSubstr("text/html"));
  EXPECT_EQ(405, ask("/", "POST").status);
}

TEST_F(ProbesTest, WhatHasChangedIsToldAtOnce) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(ask("/healthz/ready").body, HasSubstr("\"draining\":false"));
    state_->announce_drain();
    for (const char* path : {"/healthz/ready", "/healthz/started", "/healthz/live"}) {
      EXPECT_THAT(ask(path).body, HasSubstr("\"draining\":true")) << path;
    }
    state_->drain_ended(false);
  }
}

TEST_F(ProbesTest, WhatIsAskedTogetherIsToldTheSame) {
  const int64_t give_up_ns = boottime_ns() + 10'000'000'000;
  bool same = false;
  while (!same && boottime_ns() < give_up_ns) {  // on a busy machine a millisecond may have passed
    same = ask("/healthz/ready").body == ask("/healthz/ready").body;
  }
  EXPECT_TRUE(same);
}

TEST_F(ProbesTest, WhatThereIsNotAndWhatMayNotBeIsRefused) {
  EXPECT_EQ(404, ask("/healthz").status);
  EXPECT_THAT(ask("/x").body, HasSubstr("there is no /x"));
  const HttpResponse refused = ask("/status", "POST");
  EXPECT_EQ(405, refused.status);
  ASSERT_EQ(1u, refused.headers.size());
  EXPECT_EQ("GET, HEAD", refused.headers[0].value);
}

}  // namespace
}  // namespace pulse
