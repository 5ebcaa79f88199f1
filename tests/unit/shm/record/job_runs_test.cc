#include "shm/record/job_runs.h"

#include <gtest/gtest.h>

#include <vector>

#include "scheduler/job/job_output.h"
#include "src/config/jobs.h"

namespace pulse {
namespace {

constexpr uint64_t kRunsBoot = 7;

JobState running() {
  JobState state{};
  begin_run(state, {kRunsBoot, 42, 1000, 2000, true});
  return state;
}

uint64_t count(const JobState& state, JobOutcome outcome) { return state.outcomes[static_cast<size_t>(outcome)]; }
JobOutcome outcome(const JobState& state) { return static_cast<JobOutcome>(state.outcome); }

TEST(Jobs, ARunThatWasStoppedIsNoFailure) {
  JobState state{};
  const auto run = [&](JobOutcome how) {
    begin_run(state, {7, 42, 1000, 2000, false});
    end_run(state, {how, 1, 1100, 0, 0, "", ""});
    return state.consecutive_failures;
  };
  EXPECT_EQ(0u, run(JobOutcome::stopped));
  EXPECT_EQ(0u, run(JobOutcome::leader_lost));
  EXPECT_EQ(1u, run(JobOutcome::timed_out));
  EXPECT_EQ(1u, run(JobOutcome::stopped)) << "nor the end of a row of them";
  EXPECT_EQ(1u, run(JobOutcome::leader_lost));
  EXPECT_EQ(2u, run(JobOutcome::died));
  EXPECT_EQ(0u, run(JobOutcome::ok));
}

TEST(Jobs, NamesAreFitForFiles) {
  for (const char* good : {"a", "digests", "a-b_c9", "01234567890123456789012345678901"})
    EXPECT_TRUE(is_job_name(good));
  for (const char* bad : {"", "A", "a b", "a/b", "..", "a.b", "\xC3\xA4", "012345678901234567890123456789012"}) {
    EXPECT_FALSE(is_job_name(bad)) << bad;
  }
  EXPECT_NE(0u, job_key("a"));
  EXPECT_NE(job_key("a"), job_key("b"));
}

TEST(Jobs, ARunIsFoldedInOnce) {
  JobState state = running();
  EXPECT_EQ(1u, state.run);
  EXPECT_EQ(0u, state.ended_run);
  EXPECT_EQ(1, state.leader_only);
  end_run(state, {JobOutcome::failed, 3, 1500, 100, 20, "last words", "exit code 3"});
  EXPECT_EQ(1u, state.ended_run);
  EXPECT_EQ(500, state.duration_ns);
  EXPECT_EQ(3, state.exit_code);
  EXPECT_EQ(1u, count(state, JobOutcome::failed));
  EXPECT_EQ(1u, state.consecutive_failures);
  EXPECT_EQ("last words", text(state.last_line));
  EXPECT_EQ("exit code 3", text(state.message));
  EXPECT_EQ(0, state.last_ok_ns);

  begin_run(state, {kRunsBoot, 43, 3000, 4000, false});
  EXPECT_EQ(2u, state.run);
  EXPECT_EQ(JobOutcome::failed, outcome(state)) << "of the last one, until this one ends";
  end_run(state, {JobOutcome::ok, 0, 3100, 0, 0, "", ""});
  EXPECT_EQ(0u, state.consecutive_failures);
  EXPECT_EQ(3100, state.last_ok_ns);
  EXPECT_EQ(1u, count(state, JobOutcome::ok));
  EXPECT_EQ("", text(state.message));
  EXPECT_EQ(2u, state.ended_run);
}

TEST(Jobs, ARunThatEndedWithoutAWord) {
  struct Case {
    const char* what;
    uint64_t mark;
    uint64_t boot;
    int64_t now;
    bool guard_gone;
    JobOutcome outcome;  // none: it goes on
    int64_t ended;
  };
  constexpr int64_t kLater = 2000 + 2'000'000'000;
  const Case cases[] = {
      {"it runs", 0, kRunsBoot, 1500, false, JobOutcome::none, 0},
      {"a little late", 0, kRunsBoot, kLater, false, JobOutcome::none, 0},
      {"too late: stopped", 0, kRunsBoot, kLater + 1, false, JobOutcome::died, 2000},
      {"the lock is free", 0, kRunsBoot, 1500, true, JobOutcome::died, 1500},
      {"its timer left a mark", make_mark(1, JobOutcome::timed_out), kRunsBoot, 2500, false, JobOutcome::timed_out,
       1999},
      {"a mark of another run", make_mark(2, JobOutcome::timed_out), kRunsBoot, 1500, false, JobOutcome::none, 0},
      {"the machine was booted", 0, kRunsBoot + 1, 1500, false, JobOutcome::died, 0},
  };
  for (const Case& test : cases) {
    JobState state = running();
    const bool folded = fold_unended(state, test.mark, 1999, test.boot, test.now, test.guard_gone);
    EXPECT_EQ(test.outcome != JobOutcome::none, folded) << test.what;
    EXPECT_EQ(test.outcome, outcome(state)) << test.what;
    EXPECT_EQ(folded ? 1u : 0u, state.ended_run) << test.what;
    EXPECT_EQ(test.ended, state.ended_ns) << test.what;
    EXPECT_FALSE(fold_unended(state, 0, 0, kRunsBoot, 1500, false)) << test.what << ": once";
  }
}

TEST(Jobs, CountersGoOnOverABoot) {
  JobState state = running();
  end_run(state, {JobOutcome::ok, 0, 1500, 0, 0, "", ""});
  begin_run(state, {kRunsBoot + 1, 42, 10, 20, false});
  EXPECT_EQ(0, state.last_ok_ns) << "a stamp of another boot";
  EXPECT_EQ(2u, state.run);
  EXPECT_EQ(1u, count(state, JobOutcome::ok));
}

TEST(Jobs, OutputIsMadePrintable) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"a\tb\rc", "a b c"},
      {"\x1b[31mred\x07", "?[31mred?"},
      {std::string("a\0b", 3), "a?b"},
      {"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80"},
      {"\xC2\x9B"
       "31m",
       "?31m"},                           // CSI as one character
      {"\xC0\xAF\xED\xA0\x80", "?????"},  // overlong; half of a surrogate pair
      {"\xF5\x80\x80\x80", "????"},       // beyond Unicode
      {"cut \xE2\x82", "cut ??"},
      {"\xFF\xFE\x7F", "???"},
  };
  for (const auto& [given, expected] : cases) EXPECT_EQ(expected, printable(given));
}

class Output {
 public:
  explicit Output(OutputLimits limits = {})
      : bound(limits, [this](const std::string& line) {
          if (takes) lines.push_back(line);
          return takes;
        }) {}
  bool takes = true;
  std::vector<std::string> lines;
  OutputBound bound;
};

using Lines = std::vector<std::string>;

TEST(JobOutput, ComesInLinesHoweverItIsCut) {
  const std::string text = "one\ntwo\r\n\n  \nthree";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    Output output;
    for (size_t at = 0; at < text.size(); at += piece) output.bound.feed(std::string_view(text).substr(at, piece));
    EXPECT_EQ("three", output.bound.last_line());
    output.bound.finish();
    EXPECT_EQ((Lines{"one", "two", "three"}), output.lines) << piece;
    EXPECT_EQ(text.size(), output.bound.bytes());
    EXPECT_EQ(0u, output.bound.not_shown());
    EXPECT_EQ("three", output.bound.last_line());
  }
}

TEST(JobOutput, IsShownUpToItsLimits) {
  Output few({100, 2});
  few.bound.feed("1\n22\n333\n4\n");
  EXPECT_EQ((Lines{"1", "22"}), few.lines);
  EXPECT_EQ(6u, few.bound.not_shown()) << "line feeds count";
  EXPECT_EQ("4", few.bound.last_line());

  Output small({5, 100});
  small.bound.feed("123\n456\n7\n");
  EXPECT_EQ((Lines{"123"}), small.lines) << "no line after one that was left out";
  EXPECT_EQ(6u, small.bound.not_shown());

  Output none({0, 0});
  none.bound.feed("1\n");
  EXPECT_EQ(Lines{}, none.lines);
  EXPECT_EQ("1", none.bound.last_line());

  Output blocked;
  blocked.takes = false;
  blocked.bound.feed("12\n");
  blocked.takes = true;
  blocked.bound.feed("3\n");
  EXPECT_EQ((Lines{"3"}), blocked.lines) << "what the log didn't take doesn't count";
  EXPECT_EQ(3u, blocked.bound.not_shown());
}

TEST(JobOutput, BeyondTheLimitsOnlyTheLastLineIsLookedFor) {
  Output output({4, 1});
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "line " + std::to_string(i) + "\n";
  output.bound.feed("1\n2\n");
  output.bound.feed(many + "half");
  output.bound.feed(" a line\n \n");
  EXPECT_EQ("half a line", output.bound.last_line());
  output.bound.feed(many);
  EXPECT_EQ("line 19999", output.bound.last_line());
  output.bound.feed(many + std::string(5000, 'x') + "\n");
  EXPECT_EQ(std::string(240, 'x'), output.bound.last_line());
  EXPECT_EQ(Lines{"1"}, output.lines);
}

TEST(JobOutput, OfOneEndlessLineTakesNoMemory) {
  Output output({1'000'000, 100});
  const std::string piece(65536, 'x');
  for (int i = 0; i < 1000; ++i) output.bound.feed(piece);
  EXPECT_EQ(Lines{}, output.lines);
  EXPECT_EQ(240u, output.bound.last_line().size());
  output.bound.finish();
  ASSERT_EQ(1u, output.lines.size());
  EXPECT_EQ(OutputBound::kLongestLine, output.lines[0].size());
  EXPECT_EQ(65536u * 1000, output.bound.bytes());
  EXPECT_EQ(65536u * 1000 - OutputBound::kLongestLine, output.bound.not_shown());
}

}  // namespace
}  // namespace pulse
