#include "src/config/cnf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/config-corpus/corpus.h"
#include "tests/temp_dir.h"

namespace pulse {
namespace {

// What holds no others, as grammar.txt has it; nothing for what does.
std::string show_value(const CnfSetting& setting) {
  char number[64];
  switch (setting.type) {
    case CnfType::integer:
      return "i" + std::to_string(setting.number);
    case CnfType::integer64:
      return "l" + std::to_string(setting.number);
    case CnfType::boolean:
      return setting.number != 0 ? "true" : "false";
    case CnfType::real:
      std::snprintf(number, sizeof number, "f%.17g", std::strtod(std::string(setting.text).c_str(), nullptr));
      return number;
    case CnfType::text:
      return '"' + test::escape(setting.text) + '"';
    default:
      return "";
  }
}

void show_start(const CnfSetting& setting, std::string& out) {
  if (!setting.name.empty()) out += std::string(setting.name) + "@" + std::to_string(setting.line) + "=";
  out += show_value(setting);
}

// As grammar.txt has a tree. A line is told of what has a name. A tree can be deep: this takes little stack.
void show(const CnfSetting& setting, std::string& out) {
  show_start(setting, out);
  const bool group = setting.is(CnfType::group), list = setting.is(CnfType::list);
  if (!group && !list && !setting.is(CnfType::array)) return;
  const char* const brackets = group ? "{}" : list ? "()" : "[]";
  out += brackets[0];
  for (const CnfSetting& child : CnfChildren(&setting)) {
    show(child, out);
    out += ';';
  }
  out += brackets[1];
}

// The tree, or "E FILE:LINE: REASON" with the file below `directory` and without what the system says of one.
std::string answer(const Result<Cnf>& cnf, const std::string& directory) {
  std::string out;
  if (cnf) {
    show(cnf->root(), out);
    return out;
  }
  out = cnf.error().text;
  if (out.starts_with(directory)) out = out.substr(directory.size());
  const std::string open = "cannot open include file";
  const size_t found = out.find(open);
  return "E " + (found == std::string::npos ? out : out.substr(0, found + open.size()));
}

std::string parsed(const std::string& text, Rows rows = Rows::all) { return answer(parse_cnf(text, "f", rows), ""); }

TEST(Cnf, IsReadAsProxySqlsLibconfigReadsIt) {
  const test::TempDir dir;
  const std::string directory = dir / "";
  size_t inputs = 0;
  for (const std::string& line : test::corpus_lines("grammar.txt")) {
    const size_t tab = line.find('\t');
    if (line.starts_with("file ")) {
      dir.write(line.substr(5, tab - 5), test::unescape(line.substr(tab + 1)));
      continue;
    }
    ++inputs;
    const std::string input = test::unescape(line.substr(0, tab));
    const auto all = parse_cnf(input, directory + "f");
    EXPECT_EQ(line.substr(tab + 1), answer(all, directory)) << line.substr(0, tab);
    EXPECT_EQ(bool(all), bool(parse_cnf(input, directory + "f", Rows::first))) << line.substr(0, tab);
  }
  EXPECT_LT(3000u, inputs);
}

TEST(Cnf, NothingIsAFile) { EXPECT_EQ("{}", parsed("")); }

TEST(Cnf, TheFirstRowOfEachListAtTheTopIsEnough) {
  EXPECT_EQ("{a@1=({x@1=i1;};);b@3=i5;}", parsed("a=( { x=1 },\n{ x=2 y=( { z=1 }, 2 ) } )\nb=5", Rows::first));
  EXPECT_EQ("{a@1=(i1;);b@1={c@1=(i1;i2;);};d@1=[i1;i2;];}", parsed("a=(1,2,3) b={ c=(1,2) } d=[1,2]", Rows::first));
  EXPECT_EQ("{scheduler@1=(i1;i2;);proxysql_servers@1=(i3;i4;);}",
            parsed("scheduler=(1,2) proxysql_servers=(3,4)", Rows::first));
  const auto cnf = parse_cnf("a=(1,2,3) b=(\"x\" \"y\",\"z\")", "f", Rows::first);
  ASSERT_TRUE(cnf);
  EXPECT_EQ(3u, cnf->root().find("a")->length) << "the length is told";
  EXPECT_EQ("xy", cnf->root().find("b")->first->text);
  EXPECT_EQ("E f:1: duplicate setting name", parsed("a=( 1, { x=1 x=2 } )", Rows::first)) << "all is checked";
  EXPECT_EQ("E f:1: mismatched element type in array", parsed("a=( 1, [ 1, \"\" ] )", Rows::first));
}

TEST(Cnf, IsWhatItWasWhenItIsMoved) {
  std::string text = "l = ( ";
  for (int i = 0; i < 5000; ++i) text += "{ name = \"n" + std::to_string(i) + "\" \"!\" }, ";
  auto read = parse_cnf(text + " )", "f");
  ASSERT_TRUE(read);
  const Cnf cnf = std::move(*read);
  int row = 0;
  for (const CnfSetting& element : CnfChildren(cnf.root().find("l"))) {
    ASSERT_EQ("n" + std::to_string(row++) + "!", element.find("name")->text);
    ASSERT_EQ("f:1", element.at());
  }
  EXPECT_EQ(5000, row);
}

TEST(Cnf, ManyNamesInAGroupTakeNoLongerThanFew) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "n" + std::to_string(i) + "=1\n";
  EXPECT_TRUE(parse_cnf(text, "f"));
  EXPECT_EQ("E f:100001: duplicate setting name", parsed(text + "n99999=1"));
}

// libconfig's own limit is that of its parser's stack.
TEST(Cnf, BracketsHaveAnEnd) {
  const auto nested = [](size_t depth) { return parsed("a=" + std::string(depth, '(') + std::string(depth, ')')); };
  EXPECT_NE('E', nested(4996)[0]);
  EXPECT_EQ("E f:1: brackets are nested too deep", nested(4997));
  EXPECT_EQ("E f:1: brackets are nested too deep", parsed("a=" + std::string(1'000'000, '(')));
}

TEST(Cnf, IncludesHaveAnEnd) {
  const test::TempDir dir;
  const auto of = [&](const std::string& text) { return answer(parse_cnf(text, dir / "f"), dir / ""); };
  dir.write("self", "@include \"self\"");
  EXPECT_EQ("E self:1: include file nesting too deep", of("@include \"self\""));
  dir.write("empty", "");
  std::string many;
  for (int i = 0; i < 8; ++i) {
    many.clear();
    for (int j = 0; j < 10; ++j) many += "@include \"" + (i == 0 ? "empty" : "many" + std::to_string(i - 1)) + "\"\n";
    dir.write("many" + std::to_string(i), many);
  }
  EXPECT_NE(std::string::npos, of("@include \"many7\"").find("more than 1000 include files"));
  ASSERT_EQ(0, ::mkfifo((dir / "pipe").c_str(), 0600));
  EXPECT_EQ("E f:1: cannot open include file", of("@include \"pipe\"")) << "nothing is waited for";
  EXPECT_EQ("E f:1: cannot open include file", of("@include \".\"")) << "a directory";
  EXPECT_EQ("{a@2=i1;}", of("@include \"/dev/null\"\na=1"));
}

TEST(Cnf, AnAbsoluteIncludeIsOpenedAsItIs) {
  const test::TempDir elsewhere;
  const std::string part = elsewhere.write("part", "user=\"u\"");
  const auto cnf = parse_cnf("admin={\n  @include \"" + part + "\"\n}", "/no/such/directory/f");
  ASSERT_TRUE(cnf) << cnf.error().text;
  EXPECT_EQ("u", cnf->root().find("admin")->find("user")->text);
  EXPECT_EQ(part + ":1", cnf->root().find("admin")->find("user")->at());
  ASSERT_EQ(1u, cnf->includes().size());
  EXPECT_FALSE(cnf->includes().front().beside);
}

TEST(Cnf, ARelativeIncludeIsTakenFromTheWorkingDirectory) {
  const test::TempDir dir;
  const std::string name = std::filesystem::relative(dir.write("part", "a=1"));
  ASSERT_NE('/', name.front());
  const auto cnf = parse_cnf("@include \"" + name + "\"", "/no/such/directory/f");
  ASSERT_TRUE(cnf) << cnf.error().text;
  EXPECT_FALSE(cnf->includes().front().beside);
  EXPECT_EQ(name, cnf->includes().front().path);
}

TEST(Cnf, ARelativeIncludeIsLookedForBesideTheFileWhereTheWorkingDirectoryHasNone) {
  const test::TempDir dir;
  dir.write("part", "a=1");
  const auto cnf = parse_cnf("@include \"part\"", dir / "f");
  ASSERT_TRUE(cnf) << cnf.error().text;
  EXPECT_TRUE(cnf->includes().front().beside);
  EXPECT_EQ(dir / "part", cnf->includes().front().path);
}

}  // namespace
}  // namespace pulse
