#include "src/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "src/base/unique_fd.h"

namespace pulse {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string pattern = ::testing::TempDir() + "file_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ + "/f";
  }
  ~FileTest() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }

  std::string directory_;
  std::string path_;
};

TEST_F(FileTest, IsReadWhole) {
  for (const size_t size : {0, 1, 4095, 4096, 4097, 100'000}) {
    std::string text(size, 'x');
    if (!text.empty()) text.back() = '\0';
    write(text);
    EXPECT_EQ(text, read_text(path_).value()) << size;
    EXPECT_EQ(text, read_text_at_once(path_).value()) << size;
  }
}

TEST_F(FileTest, IsCutAtTheMost) {
  write(std::string(10'000, 'x'));
  for (const size_t most : {1, 4096, 5000}) EXPECT_EQ(most, read_text(path_, most)->size());
  EXPECT_EQ(10'000u, read_text(path_, 10'000)->size());
}

TEST_F(FileTest, AnErrorNamesThePathAndTheReason) {
  const auto none = read_text(path_);
  ASSERT_FALSE(none);
  EXPECT_EQ(path_ + ": No such file or directory", none.error().text);
  EXPECT_EQ(ENOENT, none.error().code);
  EXPECT_EQ(directory_ + ": Is a directory", read_text_at_once(directory_).error().text);
}

TEST_F(FileTest, APipeThatNothingComesThroughIsNotWaitedFor) {
  ASSERT_EQ(0, ::mkfifo(path_.c_str(), 0600));
  EXPECT_EQ("", read_text_at_once(path_).value()) << "nobody writes";
  const UniqueFd both(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  const auto empty = read_text_at_once(path_);
  ASSERT_FALSE(empty);
  EXPECT_EQ(EAGAIN, empty.error().code);
}

TEST_F(FileTest, APartOfATextIsFilled) {
  write("abcdef");
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text = "0123456";
  EXPECT_EQ(4, read_into(fd.get(), text, 3));
  EXPECT_EQ("012abcd", text);
  EXPECT_EQ(2, read_into(fd.get(), text));
  EXPECT_EQ("ef2abcd", text);
  EXPECT_EQ(-1, read_into(-1, text));
}

}  // namespace
}  // namespace pulse
