#include "scheduler/install.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/temp_dir.h"

namespace pulse {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Install, CopiesAllOfItExecutableForAll) {
  const test::TempDir dir;
  const std::string program = dir.write("program", std::string(3'000'000, 'p') + "end");
  dir.write("proxysql-pulse", "an older one");
  const mode_t before = ::umask(077);
  const auto path = install_program(program, dir.path());
  ::umask(before);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(dir / "proxysql-pulse", *path);
  EXPECT_EQ(content(program), content(*path));
  struct stat found {};
  ::stat(path->c_str(), &found);
  EXPECT_EQ(0755u, found.st_mode & 07777);
  EXPECT_EQ(2, std::distance(std::filesystem::directory_iterator(dir.path()), {})) << "nothing else is left";
}

TEST(Install, SaysWhatItCouldNotDo) {
  const test::TempDir dir;
  const std::string program = dir.write("program", "p");
  EXPECT_EQ("open " + (dir / "none") + ": No such file or directory",
            install_program(dir / "none", dir.path()).error().text);
  const auto nowhere = install_program(program, dir / "no-such-directory");
  EXPECT_NE(std::string::npos, nowhere.error().text.find("No such file or directory")) << nowhere.error().text;
  std::filesystem::create_directory(dir / "proxysql-pulse");
  EXPECT_FALSE(install_program(program, dir.path())) << "a directory of that name";
  EXPECT_EQ(2, std::distance(std::filesystem::directory_iterator(dir.path()), {}));
}

}  // namespace
}  // namespace pulse
