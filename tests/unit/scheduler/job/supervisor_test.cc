#include "scheduler/job/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/fake_clock.h"

namespace pulse {
namespace {

using std::chrono::seconds;
using test::FakeClock;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;

constexpr int kExited3 = 3 << 8;  // as waitpid(2) has it

struct Sent {
  int number;
  milliseconds at;
  bool operator==(const Sent&) const = default;
};
void PrintTo(const Sent& sent, std::ostream* out) { *out << sent.number << " at " << sent.at.count() << " ms"; }

// A command and what it has started, under a clock that stands still.
class FakeProcesses final : public JobProcesses {
 public:
  explicit FakeProcesses(FakeClock& clock) : clock_(clock) {}

  bool command_runs = true;
  size_t others = 0;  // that it has started
  int status = kExited3;
  bool obeys_sigterm = true;
  std::optional<milliseconds> sigterm_takes;
  std::string output;
  bool endless = false;  // it writes without end

  std::vector<Sent> sent;
  size_t waits = 0;

  void end_command() {
    command_runs = false;
    signalled_ = true;
  }
  void end_all() {
    end_command();
    others = 0;
  }
  void get_signal(int number) {
    signal_ = number;
    signalled_ = true;
  }
  void write(const std::string& text) {
    output += text;
    readable_ = true;
  }

  Reaped reap() override {
    Reaped reaped;
    if (!command_runs && !reaped_) reaped.status = status;
    reaped_ = reaped_ || !command_runs;
    reaped.none_left = !command_runs && others == 0;
    return reaped;
  }
  size_t signal_all(int number) override {
    const size_t got = (command_runs ? 1 : 0) + others;
    if (sent.empty() || sent.back().number != number) sent.push_back({number, clock_.elapsed()});
    if (number == SIGTERM && obeys_sigterm)
      clock_.at(clock_.now() - clock_.began() + sigterm_takes.value_or(milliseconds(2)), [this] { end_all(); });
    if (number == SIGKILL) clock_.at(clock_.now() - clock_.began() + milliseconds(2), [this] { end_all(); });
    return got;
  }
  void wait(MonotonicTime until, bool for_output) override {
    ++waits;
    EXPECT_FALSE(for_output && !has_output());
    while (!signalled_ && !(for_output && (readable_ || endless)) && clock_.now() < until) {
      clock_.move_to(clock_.next_event(until));
    }
    signalled_ = false;
    clock_.pass(std::chrono::microseconds(100));
  }
  int take_signal() override { return std::exchange(signal_, 0); }

  bool has_output() const override { return endless || command_runs || others > 0 || !output.empty(); }
  size_t read_output(char* buffer, size_t size) override {
    clock_.pass(std::chrono::microseconds(10));
    if (endless) {
      std::fill_n(buffer, size, 'x');
      return size;
    }
    const size_t length = std::min(size, output.size());
    output.copy(buffer, length);
    output.erase(0, length);
    readable_ = !output.empty();
    return length;
  }

 private:
  FakeClock& clock_;
  bool signalled_ = false;
  bool readable_ = false;
  bool reaped_ = false;
  int signal_ = 0;
};

class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorTest() {
    job_.timeout = seconds(10);
    job_.grace = seconds(2);
    leader_.is_self = true;
  }

  Supervision run() {
    Supervisor supervisor(
        RunTimes::of(job_, clock_.began()), job_.leader_only, processes_,
        [this] {
          leader_asked_.push_back(clock_.elapsed());
          return leader_;
        },
        [this](std::string_view piece) { shown_ += piece; }, clock_);
    const Supervision supervision = supervisor.run();
    EXPECT_LT(clock_.elapsed(), job_.timeout);
    return supervision;
  }
  void at(milliseconds span, std::function<void()> event) { clock_.at(span, std::move(event)); }

  Job job_;
  FakeClock clock_;
  FakeProcesses processes_{clock_};
  Leadership leader_;
  std::vector<milliseconds> leader_asked_;
  std::string shown_;
};

TEST_F(SupervisorTest, ACommandThatEndsInTimeIsLeftAlone) {
  at(seconds(3), [this] { processes_.end_all(); });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::none, run.stop);
  EXPECT_EQ(kExited3, run.status);
  EXPECT_THAT(processes_.sent, IsEmpty());
  EXPECT_EQ(seconds(3), clock_.elapsed());
  EXPECT_LE(processes_.waits, 5U) << "a guard that waits wakes up once a second at most";
}

TEST_F(SupervisorTest, SigtermComesAGraceBeforeTheEnd) {
  const Supervision run = this->run();
  EXPECT_EQ(Stop::timeout, run.stop);
  EXPECT_EQ(1U, run.stopped);
  EXPECT_EQ(0U, run.killed);
  // Half a second is for SIGKILL and the report.
  EXPECT_THAT(processes_.sent, ElementsAre(Sent{SIGTERM, milliseconds(7500)}, Sent{SIGCONT, milliseconds(7500)}));
}

TEST_F(SupervisorTest, SigkillEndsWhatDoesntObeyInTime) {
  processes_.obeys_sigterm = false;
  processes_.others = 2;
  const Supervision run = this->run();
  EXPECT_EQ(Stop::timeout, run.stop);
  EXPECT_EQ(3U, run.stopped);
  EXPECT_EQ(3U, run.killed);
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_EQ((Sent{SIGKILL, milliseconds(9500)}), processes_.sent[2]);
  EXPECT_LT(clock_.elapsed(), milliseconds(9600));
}

TEST_F(SupervisorTest, AShortJobKeepsATenthForItsEnd) {
  job_.timeout = milliseconds(1000);
  job_.grace = milliseconds(250);
  processes_.obeys_sigterm = false;
  run();
  EXPECT_THAT(processes_.sent, ElementsAre(Sent{SIGTERM, milliseconds(650)}, Sent{SIGCONT, milliseconds(650)},
                                           Sent{SIGKILL, milliseconds(900)}));
}

TEST_F(SupervisorTest, ItsOwnSignalEndsTheCommand) {
  at(seconds(1), [this] { processes_.get_signal(SIGINT); });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::signal, run.stop);
  EXPECT_EQ(SIGINT, run.stop_signal);
  ASSERT_FALSE(processes_.sent.empty());
  EXPECT_EQ((Sent{SIGTERM, seconds(1)}), processes_.sent[0]);
}

TEST_F(SupervisorTest, AfterItsOwnSignalTheGraceCounts) {
  processes_.obeys_sigterm = false;
  at(seconds(1), [this] { processes_.get_signal(SIGTERM); });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::signal, run.stop);
  EXPECT_EQ(1U, run.killed);
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_EQ(SIGKILL, processes_.sent[2].number);
  EXPECT_THAT(processes_.sent[2].at, AllOf(Ge(seconds(3)), Le(milliseconds(3010))));
}

TEST_F(SupervisorTest, WhatIsStoppedLateIsKilledAtTheEndNevertheless) {
  processes_.obeys_sigterm = false;
  at(seconds(7), [this] { clock_.pass(seconds(1)); });  // it gets no processor for a second
  run();
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_THAT(processes_.sent[0].at, AllOf(Ge(seconds(8)), Le(milliseconds(8010))));
  EXPECT_THAT(processes_.sent[2].at, AllOf(Ge(milliseconds(9500)), Le(milliseconds(9510))));
}

TEST_F(SupervisorTest, WhatTheCommandLeavesBehindGetsAMoment) {
  processes_.others = 2;
  at(seconds(1), [this] { processes_.end_command(); });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::leftovers, run.stop);
  EXPECT_EQ(kExited3, run.status);
  EXPECT_EQ(2U, run.stopped);
  ASSERT_FALSE(processes_.sent.empty());
  EXPECT_EQ(SIGTERM, processes_.sent[0].number);
  EXPECT_THAT(processes_.sent[0].at, AllOf(Ge(milliseconds(1200)), Le(milliseconds(1210))));
}

TEST_F(SupervisorTest, WhatEndsInThatMomentIsNoWord) {
  processes_.others = 1;
  at(seconds(1), [this] { processes_.end_command(); });
  at(milliseconds(1100), [this] { processes_.end_all(); });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::none, run.stop);
  EXPECT_THAT(processes_.sent, IsEmpty());
}

TEST_F(SupervisorTest, TheLossOfLeadershipEndsIt) {
  job_.leader_only = true;
  at(milliseconds(1050), [this] {
    leader_.is_self = false;
    leader_.reason = "proxysql-1 is";
  });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::leader_lost, run.stop);
  EXPECT_EQ("proxysql-1 is", run.why_not_leader);
  ASSERT_FALSE(processes_.sent.empty());
  EXPECT_EQ(SIGTERM, processes_.sent[0].number);
  EXPECT_THAT(processes_.sent[0].at, AllOf(Ge(milliseconds(1050)), Le(milliseconds(1300))));
  EXPECT_THAT(leader_asked_.size(), AllOf(Ge(6U), Le(8U))) << "every 200 ms";
}

TEST_F(SupervisorTest, AllIsGoneBeforeAnotherNodeMayLead) {
  job_.leader_only = true;
  processes_.obeys_sigterm = false;
  at(milliseconds(1000), [this] {
    leader_.is_self = false;
    leader_.handover_ns = clock_.boot_ns() + nanoseconds(seconds(2)).count();
  });
  const Supervision run = this->run();
  EXPECT_EQ(Stop::leader_lost, run.stop);
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_EQ(SIGKILL, processes_.sent[2].number);
  EXPECT_THAT(processes_.sent[2].at, AllOf(Ge(milliseconds(2500)), Le(milliseconds(2510))));
}

TEST_F(SupervisorTest, AHandoverThatIsOverAlreadyKillsAtOnce) {
  job_.leader_only = true;
  processes_.obeys_sigterm = false;
  at(milliseconds(1000), [this] {
    leader_.is_self = false;
    leader_.handover_ns = clock_.boot_ns();
  });
  run();
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_LE(processes_.sent[2].at - processes_.sent[0].at, milliseconds(5));
}

TEST_F(SupervisorTest, TheLeaderIsntAskedForOtherJobs) {
  leader_.is_self = false;
  at(seconds(3), [this] { processes_.end_all(); });
  EXPECT_EQ(Stop::none, run().stop);
  EXPECT_THAT(leader_asked_, IsEmpty());
}

TEST_F(SupervisorTest, OutputIsPassedOnToTheLastByte) {
  at(seconds(1), [this] { processes_.write("first\n"); });
  at(seconds(2), [this] { EXPECT_EQ("first\n", shown_) << "while it runs"; });
  at(seconds(3), [this] {
    processes_.write("last");
    processes_.end_all();
  });
  run();
  EXPECT_EQ("first\nlast", shown_);
}

TEST_F(SupervisorTest, TheRateDoesntCutTheLastOutputShort) {
  constexpr size_t kMost = 1 << 20, kPipe = 128 << 10;
  at(seconds(1), [this] { processes_.write(std::string(kMost - kPipe / 2, 'x')); });
  at(milliseconds(1001), [this] {
    processes_.write(std::string(kPipe, 'y'));
    processes_.end_all();
  });
  run();
  EXPECT_EQ(kMost + kPipe / 2, shown_.size());
}

TEST_F(SupervisorTest, OutputWithoutEndKeepsItFromNothing) {
  job_.timeout = milliseconds(400);
  job_.grace = milliseconds(100);
  processes_.endless = true;
  processes_.obeys_sigterm = false;
  at(milliseconds(361), [this] { processes_.endless = false; });  // with the processes
  const Supervision run = this->run();
  EXPECT_EQ(Stop::timeout, run.stop);
  ASSERT_EQ(3U, processes_.sent.size());
  EXPECT_THAT(processes_.sent[0].at, AllOf(Ge(milliseconds(260)), Le(milliseconds(262))));
  EXPECT_THAT(processes_.sent[2].at, AllOf(Ge(milliseconds(360)), Le(milliseconds(362))));
  EXPECT_LE(shown_.size(), size_t{38} << 20) << "a mebibyte in 10 ms";
  EXPECT_GE(shown_.size(), size_t{30} << 20);
}

}  // namespace
}  // namespace pulse
