#include "src/base/log_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/unique_fd.h"

namespace pulse {
namespace {

// A pipe whose writing end waits, as stderr does.
struct Pipe {
  UniqueFd reading;
  UniqueFd writing;
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(0, ::pipe2(ends, O_CLOEXEC));
    reading = UniqueFd(ends[0]);
    writing = UniqueFd(ends[1]);
  }
  size_t read_some(size_t most) const {
    std::string buffer(most, '\0');
    const ssize_t got = ::read(reading.get(), buffer.data(), most);
    return got < 0 ? 0 : static_cast<size_t>(got);
  }
};

TEST(WriteWhatFits, WritesAllWhereThereIsRoom) {
  const Pipe pipe;
  const std::string text(50'000, 'x');
  EXPECT_EQ(text.size(), write_what_fits(pipe.writing.get(), text, 0));
}

TEST(WriteWhatFits, NeverWaitsLongerThanAllowed) {
  const Pipe pipe;
  const std::string text(200'000, 'x');
  int64_t began = monotonic_ns();
  const size_t fitted = write_what_fits(pipe.writing.get(), text, 0);
  EXPECT_GT(fitted, 60'000u);
  EXPECT_LT(fitted, text.size());
  EXPECT_EQ(0u, write_what_fits(pipe.writing.get(), "a line\n", 20));
  EXPECT_GE(monotonic_ns() - began, 20'000'000);
  EXPECT_LT(monotonic_ns() - began, 5'000'000'000);
  pipe.read_some(10'000);
  EXPECT_EQ(7u, write_what_fits(pipe.writing.get(), "a line\n", 0));
  EXPECT_EQ(0, ::fcntl(pipe.writing.get(), F_GETFL) & O_NONBLOCK) << "it is ProxySQL's, too";
}

TEST(WriteWhatFits, TheSameWithASocket) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  const UniqueFd one(ends[0]), other(ends[1]);
  const std::string text(10'000'000, 'x');
  EXPECT_LT(write_what_fits(one.get(), text, 0), text.size());
}

TEST(WriteWhatFits, NothingWhereNobodyIs) { EXPECT_EQ(0u, write_what_fits(-1, "a line\n", 0)); }

}  // namespace
}  // namespace pulse
