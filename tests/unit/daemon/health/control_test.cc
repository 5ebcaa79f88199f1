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

const ControlToken kNoToken;
const ControlToken kSecret{true, "secret"};
const std::vector<std::string> kNames = {"localhost", "db-7"};

std::string refused(const HttpRequest& request, const ControlToken& token, const Caller& caller = {}) {
  return why_refused(request, token, caller, kNames);
}
Caller trusted() { return {true, true, "user 0"}; }

TEST(WhyRefused, WhereThereIsNoTokenATrustedUserOnLoopbackMay) {
  EXPECT_EQ("", refused(request({}, true), kNoToken, trusted()));
  EXPECT_THAT(refused(request({}, true), kNoToken, {true, false, "user 1234"}), HasSubstr("user 1234: neither root"));
  EXPECT_THAT(refused(request({}, true), kNoToken, {false, true, ""}), HasSubstr("token_file isn't set"))
      << "127.0.0.6 is a mesh's proxy, whoever runs it";
}

TEST(WhyRefused, WhereThereIsATokenLoopbackNeedsItToo) {
  EXPECT_THAT(refused(request({}, true), kSecret, trusted()), HasSubstr("without a token"));
  EXPECT_EQ("", refused(request({{"X-Pulse-Token", "secret"}}, true), kSecret));
  EXPECT_THAT(refused(request({{"X-Pulse-Token", "secret"}}, true), {true, ""}, trusted()), HasSubstr("can't be read"));
}

TEST(WhyRefused, TheTokenIsInOneOfTwoHeaders) {
  EXPECT_EQ("", refused(request({{"Authorization", "Bearer secret"}}), kSecret));
  EXPECT_EQ("", refused(request({{"authorization", "bearer  secret "}}), kSecret));
  EXPECT_EQ("", refused(request({{"X-Pulse-Token", " secret"}}), kSecret));
  // An Authorization header of another kind, from a proxy say, doesn't hide the other one.
  EXPECT_EQ("", refused(request({{"Authorization", "Basic eDp5"}, {"X-Pulse-Token", "secret"}}), kSecret));
  EXPECT_EQ("", refused(request({{"X-Pulse-Token", "secret"}, {"Host", "any.name"}}), kSecret))
      << "a page that was led here doesn't have it";
}

TEST(WhyRefused, ABrowserIsAlways) {
  for (const HttpHeader& header :
       {HttpHeader{"Origin", "http://evil.example"}, HttpHeader{"Origin", "null"},
        HttpHeader{"Sec-Fetch-Site", "cross-site"}, HttpHeader{"sec-fetch-site", "same-site"},
        HttpHeader{"Referer", "http://evil.example/"}}) {
    EXPECT_EQ("it comes from a web page", refused(request({header}, true), kNoToken, trusted())) << header.name;
    EXPECT_EQ("it comes from a web page", refused(request({header, {"X-Pulse-Token", "secret"}}), kSecret))
        << header.name;
  }
  for (const char* site : {"none", "same-origin"}) {
    EXPECT_EQ("", refused(request({{"Sec-Fetch-Site", site}}, true), kNoToken, trusted())) << "typed by a person";
  }
}

TEST(WhyRefused, AHostThatIsNotOurs) {
  for (const char* host : {"localhost", "LOCALHOST:8080", "localhost.", "db-7:8080", "127.0.0.1", "127.0.0.1:8080",
                           "[::1]", "[::1]:8080", "10.0.0.3:8080", ""}) {
    EXPECT_EQ("", refused(request({{"Host", host}}, true), kNoToken, trusted())) << host;
  }
  for (const char* host : {"evil.example", "evil.example:8080", "db-7.evil.example", "localhost.evil.example",
                           "127.0.0.1.evil.example", "[evil]", ":8080", "1"}) {
    EXPECT_THAT(refused(request({{"Host", host}}, true), kNoToken, trusted()), HasSubstr("its Host")) << host;
  }
}

TEST(WhyRefused, SaysWhich) {
  EXPECT_THAT(refused(request(), kNoToken), HasSubstr("token_file isn't set"));
  EXPECT_THAT(refused(request({{"X-Pulse-Token", "secret"}}), kNoToken), HasSubstr("token_file isn't set"));
  EXPECT_THAT(refused(request(), kSecret), HasSubstr("10.0.0.9 without a token"));
  EXPECT_THAT(refused(request({{"X-Pulse-Token", ""}}), kSecret), HasSubstr("without a token"));
  for (const char* wrong : {"secre", "secrets", "Secret", "s", "secretsecret"}) {
    EXPECT_THAT(refused(request({{"X-Pulse-Token", wrong}}), kSecret), HasSubstr("is not the one")) << wrong;
    EXPECT_THAT(refused(request({{"Authorization", std::string("Bearer ") + wrong}}), kSecret),
                HasSubstr("is not the one"))
        << wrong;
  }
}

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() {
    config_.state = dir_ / "state";
    config_.role = Role::satellite;
  }
  // The one-shot is this shell script.
  void script(const std::string& text) {
    config_.daemon.program = dir_.write("program", "#!/bin/sh\n" + text + "\n");
    ASSERT_EQ(0, ::chmod(config_.daemon.program.c_str(), 0700));
  }
  void start() {
    state_ = std::make_unique<NodeState>(config_, "host");
    probes_ = std::make_unique<Probes>(config_, *state_);
    const auto complete = [this](uint64_t token, HttpResponse response) {
      const std::lock_guard<std::mutex> hold(mutex_);
      answers_.emplace_back(token, std::move(response));
      changed_.notify_all();
    };
    control_ = std::make_unique<Control>(config_, *state_, complete, [](const HttpRequest& request, const Config&) {
      return Caller{request.remote_is_loopback, true, "user 0"};
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
  config_.daemon.token_file = dir_ / "token";
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
