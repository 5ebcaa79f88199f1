#include "daemon/health/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>

#include "daemon/health/probes.h"
#include "tests/temp_dir.h"

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

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() {
    config_.state = dir_ / "state";
    config_.role = Role::satellite;
    config_.daemon.token_file = dir_ / "token";
  }
  // The one-shot is this shell script.
  void script(const std::string& text) {
    config_.daemon.program = dir_.write("program", "#!/bin/sh\n" + text + "\n");
    ASSERT_EQ(0, ::chmod(config_.daemon.program.c_str(), 0700));
  }
  void start() {
    state_ = std::make_unique<NodeState>(config_, "host");
    probes_ = std::make_unique<Probes>(config_, *state_);
    control_ = std::make_unique<Control>(config_, *state_, [this](uint64_t token, HttpResponse response) {
      const std::lock_guard<std::mutex> hold(mutex_);
      answers_.emplace_back(token, std::move(response));
      changed_.notify_all();
    });
  }
  static HttpRequest call(const std::string& path, const std::string& method, bool loopback = true,
                          const std::string& token = "") {
    HttpRequest call = request({}, loopback);
    call.path = path;
    call.method = method;
    if (!token.empty()) call.headers.push_back({"X-Pulse-Token", token});
    return call;
  }
  int status_of(const HttpRequest& request) {
    const auto answer = control_->handle(request);
    return answer ? answer->status : 0;
  }
  std::vector<std::pair<uint64_t, HttpResponse>> wait_for_answers(size_t count) {
    std::unique_lock<std::mutex> hold(mutex_);
    EXPECT_TRUE(changed_.wait_for(hold, std::chrono::seconds(10), [&] { return answers_.size() >= count; }));
    return answers_;
  }

  test::TempDir dir_;
  Config config_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<uint64_t, HttpResponse>> answers_;
  std::unique_ptr<NodeState> state_;
  std::unique_ptr<Probes> probes_;
  std::unique_ptr<Control> control_;
};

TEST_F(ControlTest, TheTokenIsReadAgain) {
  start();
  const auto with = [&](const char* token) { return status_of(call("/maintenance", "POST", false, token)); };
  EXPECT_EQ(403, with("one")) << "no file yet";
  dir_.write("token", "one\ntwo\n");
  EXPECT_EQ(403, with("one")) << "not looked at yet";
  control_->tick();
  EXPECT_EQ(400, with("one")) << "let in";
  EXPECT_EQ(403, with("two"));
  dir_.write("token", "two\n");
  control_->tick();
  EXPECT_EQ(403, with("one"));
  EXPECT_EQ(400, with("two"));
  for (const char* empty : {"", "\n", "  \nthree\n"}) {
    dir_.write("token", empty);
    control_->tick();
    EXPECT_EQ(403, with("two"));
    EXPECT_EQ(403, with("three"));
    EXPECT_EQ(403, with(" "));
  }
}

TEST_F(ControlTest, MethodsAndWhatCantBe) {
  start();
  HttpRequest head = call("/shutdown", "GET");
  head.is_head = true;
  EXPECT_EQ(405, status_of(head));
  EXPECT_EQ(405, status_of(call("/shutdown", "PUT")));
  EXPECT_EQ(405, status_of(call("/resync", "GET")));
  EXPECT_EQ(405, status_of(call("/maintenance", "GET")));
  EXPECT_EQ(403, status_of(call("/shutdown", "PUT", false))) << "that comes first";
  EXPECT_EQ(503, status_of(call("/resync", "POST"))) << "there is no segment";
  HttpRequest on = call("/maintenance", "POST");
  on.body = "on\n";
  EXPECT_EQ(503, status_of(on));
  on.body = "maybe";
  EXPECT_EQ(400, status_of(on));
  config_.role = Role::core;
  start();
  EXPECT_EQ(409, status_of(call("/resync", "POST")));
}

TEST_F(ControlTest, OneDrainForAllWhoAskMeanwhile) {
  script("echo run >> " + (dir_ / "runs") + "; while [ ! -e " + (dir_ / "go") + " ]; do sleep 0.01; done");
  start();
  for (uint64_t token = 1; token <= 3; ++token) {
    HttpRequest shutdown = call("/shutdown", token == 2 ? "GET" : "POST");
    shutdown.token = token;
    EXPECT_FALSE(control_->handle(shutdown)) << "answered when it is done";
    EXPECT_TRUE(control_->drain_runs());
    EXPECT_EQ(503, probes_->handle(call("/healthz/ready", "GET"))->status);
    EXPECT_EQ(200, probes_->handle(call("/healthz/live", "GET"))->status);
  }
  dir_.write("go", "now");
  const auto answers = wait_for_answers(3);
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(i + 1, answers[i].first);
    EXPECT_EQ(200, answers[i].second.status);
    EXPECT_EQ(answers[0].second.body, answers[i].second.body);
  }
  std::ifstream runs(dir_ / "runs");
  EXPECT_EQ("run\n", std::string(std::istreambuf_iterator<char>(runs), {}));
  EXPECT_EQ(503, probes_->handle(call("/healthz/ready", "GET"))->status) << "ProxySQL was stopped";
}

TEST_F(ControlTest, ADrainThatFailedIsA500AndNotInEffect) {
  script("exit 69");
  start();
  EXPECT_FALSE(control_->handle(call("/shutdown", "POST")));
  const auto answers = wait_for_answers(1);
  EXPECT_EQ(500, answers[0].second.status);
  EXPECT_THAT(answers[0].second.body, HasSubstr("exit code 69"));
  EXPECT_THAT(answers[0].second.body, HasSubstr("\"draining\":false"));
  // And it can be asked again.
  EXPECT_FALSE(control_->handle(call("/shutdown", "POST")));
  EXPECT_EQ(500, wait_for_answers(2)[1].second.status);
}

}  // namespace
}  // namespace pulse
