#include "scheduler/dump/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>
#include <sstream>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

std::set<std::string> files_in(const std::string& path) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) names.insert(entry.path().filename());
  return names;
}

std::string content(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class WholeFileTest : public ::testing::TestWithParam<WholeFile::Way> {
 protected:
  Result<WholeFile> create(std::optional<gid_t> group = std::nullopt) {
    auto file = WholeFile::create(dir_.path(), ".hidden", group, GetParam());
    EXPECT_TRUE(!file || ::write(file->fd(), "text", 4) == 4);
    return file;
  }
  const test::TempDir dir_;
};

TEST_P(WholeFileTest, HasItsNameOnceItIsPublished) {
  auto file = create();
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_EQ(0u, files_in(dir_.path()).count("name"));
  ASSERT_TRUE(file->publish("name"));
  EXPECT_EQ(std::set<std::string>{"name"}, files_in(dir_.path()));
  EXPECT_EQ("text", content(dir_ / "name"));
  struct stat found {};
  ASSERT_EQ(0, ::stat((dir_ / "name").c_str(), &found));
  EXPECT_EQ(0600u, found.st_mode & 07777);
}

TEST_P(WholeFileTest, StaysWhenItsOwnerGoes) {
  {
    auto file = create();
    ASSERT_TRUE(file && file->publish("name"));
  }
  EXPECT_EQ("text", content(dir_ / "name"));
}

TEST_P(WholeFileTest, LeavesNothingUnpublished) {
  {
    auto file = create();
    ASSERT_TRUE(file);
    EXPECT_LE(files_in(dir_.path()).size(), GetParam() == WholeFile::Way::hidden_name ? 1u : 0u);
  }
  EXPECT_TRUE(files_in(dir_.path()).empty());
}

TEST_P(WholeFileTest, NeverReplacesAFile) {
  dir_.write("taken", "old");
  {
    auto file = create();
    ASSERT_TRUE(file);
    const auto published = file->publish("taken");
    ASSERT_FALSE(published);
    EXPECT_EQ(EEXIST, published.error().code);
    EXPECT_EQ("old", content(dir_ / "taken"));
    EXPECT_TRUE(file->publish("free")) << "another name may be tried";
  }
  EXPECT_EQ("text", content(dir_ / "free"));
  EXPECT_EQ((std::set<std::string>{"free", "taken"}), files_in(dir_.path()));
}

TEST_P(WholeFileTest, IsReadableByTheGroupThatIsNamed) {
  const gid_t group = ::geteuid() == 0 ? 12345 : ::getegid();
  auto file = create(group);
  ASSERT_TRUE(file) << file.error().text;
  ASSERT_TRUE(file->publish("name"));
  struct stat found {};
  ASSERT_EQ(0, ::stat((dir_ / "name").c_str(), &found));
  EXPECT_EQ(0640u, found.st_mode & 07777);
  EXPECT_EQ(group, found.st_gid);
}

TEST_P(WholeFileTest, ADirectoryThatIsNoneIsSaid) {
  const auto none = WholeFile::create(dir_ / "none", ".hidden", {}, GetParam());
  ASSERT_FALSE(none);
  EXPECT_EQ(ENOENT, none.error().code);
  EXPECT_NE(std::string::npos, none.error().text.find(dir_ / "none"));
  const auto file = WholeFile::create(dir_.write("file", ""), ".hidden", {}, GetParam());
  ASSERT_FALSE(file);
  EXPECT_EQ(ENOTDIR, file.error().code);
  EXPECT_FALSE(WholeFile::create("/proc", ".hidden", {}, GetParam()));
}

TEST_P(WholeFileTest, ADirectoryThatGoesMeanwhileIsAnError) {
  std::filesystem::create_directory(dir_ / "sub");
  auto file = WholeFile::create(dir_ / "sub", ".hidden", {}, GetParam());
  ASSERT_TRUE(file);
  std::filesystem::remove_all(dir_ / "sub");
  EXPECT_FALSE(file->publish("name"));
}

INSTANTIATE_TEST_SUITE_P(Ways, WholeFileTest, ::testing::Values(WholeFile::Way::best, WholeFile::Way::hidden_name),
                         [](const auto& each) { return each.param == WholeFile::Way::best ? "Best" : "HiddenName"; });

}  // namespace
}  // namespace pulse
