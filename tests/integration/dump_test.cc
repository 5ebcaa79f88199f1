// proxysql-pulse dump: what it writes is what ProxySQL has, and a failure leaves nothing.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include "scheduler/admin/admin_client.h"
#include "src/base/exit_code.h"
#include "src/base/unique_fd.h"
#include "tests/csv_reader.h"
#include "tests/integration/support.h"

namespace pulse::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kTable = "SELECT * FROM stats_mysql_query_digest";
constexpr const char* kHeader =
    "pod_name,hostgroup,schemaname,username,client_address,digest,digest_text,count_star,first_seen,last_seen,"
    "sum_time_us,min_time_us,max_time,sum_rows_affected,sum_rows_sent\r\n";

std::string content(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// All of them, hidden ones too.
std::vector<std::string> files_in(const TempDir& dir) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) paths.push_back(entry.path());
  return paths;
}

// A dump and the directory that it was to write to.
struct Dumped {
  TempDir dir;
  Ran ran;

  Dumped(const Server& server, std::vector<std::string> arguments, const std::function<void()>& in_child = {}) {
    arguments.insert(arguments.begin(), "dump");
    arguments.push_back("--output=" + dir.path());
    ran = run_to_end(server.pulse(arguments), server.dir(), {}, in_child);
  }

  // Its one file; "" if that isn't what there is.
  std::string file() const {
    const auto files = files_in(dir);
    EXPECT_EQ(1u, files.size()) << ran.output;
    return files.size() == 1 ? files[0] : "";
  }
  std::vector<CsvRecord> records() const {
    const auto read = read_csv(content(file()));
    EXPECT_TRUE(read) << "not RFC 4180";
    return read.value_or(std::vector<CsvRecord>());
  }
};

// Standard output and standard error apart.
struct Printed {
  Ran ran;
  std::string text;
};
Printed print(const Server& server, std::vector<std::string> arguments) {
  const TempDir dir;
  const std::string path = dir / "stdout";
  arguments.insert(arguments.begin(), {"dump", "--output=-"});
  Printed printed;
  printed.ran = run_to_end(server.pulse(arguments), server.dir(), {}, [&path] {
    ::dup2(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), STDOUT_FILENO);
  });
  printed.text = content(path);
  return printed;
}

// A real ProxySQL has no backend here: it answers such statements itself.
void answer_at_once(Server& server, const std::string& pattern) {
  if (!is_real()) return;
  server.query("INSERT INTO mysql_query_rules (rule_id, active, match_pattern, OK_msg, apply) VALUES (1,1,'" + pattern +
               "','',1)");
  server.query("LOAD MYSQL QUERY RULES TO RUNTIME");
}

// Thousands, and among them some with everything that is hard to write.
void fill_digests(Server& server) {
  if (!is_real()) {
    server.control("digests 5000");
    return;
  }
  server.query("PROXYSQLTEST 1 2");  // 2,000 ordinary ones
  server.query("SET mysql-query_digests_max_digest_length=8192");
  server.query("LOAD MYSQL VARIABLES TO RUNTIME");
  answer_at_once(server, "odd");
  // A digest keeps no white space and no quotes, the name of a user does.
  const std::string user = "o\"brien\"\", the\r\nfirst\n\tone";
  server.query("INSERT INTO mysql_users (username, password) VALUES (" + sql_quote(user) + ", 'app')");
  server.query("LOAD MYSQL USERS TO RUNTIME");
  const Deadline deadline = Deadline::after(kPatience);
  auto app = AdminClient::connect({"127.0.0.1", server.mysql_port(), user, "app", false}, deadline);
  ASSERT_TRUE(app) << app.error().text;
  std::string columns = "c0";
  for (int i = 1; columns.size() < 4096; ++i) columns += ",c" + std::to_string(i);
  for (const std::string& name : {std::string("com,ma"), std::string("Zürich 東京"), std::string("\xFF\xFE\xC3(\x01"),
                                  std::string("back\\slash"), columns}) {
    const auto answer = app->query("SELECT odd, `" + name + "` FROM t", deadline);
    ASSERT_TRUE(answer) << answer.error().text;
  }
}

// Seconds since 1970, 0 if it isn't RFC 3339 in UTC.
int64_t epoch_seconds(const std::string& time) {
  tm parts{};
  const char* end = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return end != nullptr && *end == '\0' && time.size() == 20 ? ::timegm(&parts) : 0;
}

// By what makes a row unique: a real server gives them in another order each time.
template <class Rows>
void sort_rows(Rows& rows, size_t first_column) {
  std::sort(rows.begin(), rows.end(), [first_column](const auto& a, const auto& b) {
    return std::lexicographical_compare(a.begin() + first_column, a.begin() + first_column + 5,
                                        b.begin() + first_column, b.begin() + first_column + 5);
  });
}

TEST(Dump, ComesBackThroughACsvReaderAsItIsInProxySQL) {
  Server server({});
  fill_digests(server);
  const Dumped dumped(server, {});
  ASSERT_EQ(kExitOk, dumped.ran.exit_code) << dumped.ran.output;
  EXPECT_EQ(kHeader, content(dumped.file()).substr(0, std::string(kHeader).size()));
  auto records = dumped.records();
  auto rows = server.query(kTable);
  ASSERT_GT(rows.size(), 1000u);
  ASSERT_EQ(rows.size() + 1, records.size());
  records.erase(records.begin());
  sort_rows(records, 1);
  sort_rows(rows, 0);
  char pod[256] = {};
  ::gethostname(pod, sizeof pod);
  size_t different = 0;
  std::string all_texts;
  size_t longest = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    all_texts += rows[i][2] + rows[i][5];
    longest = std::max(longest, rows[i][5].size());
    auto row = rows[i];
    auto record = records[i];
    EXPECT_EQ(pod, record[0]);
    record.erase(record.begin());
    for (const size_t time : {7u, 8u}) {
      // A real server reckons these from its uptime at each read.
      const int64_t off = std::abs(epoch_seconds(record[time]) - std::stoll(row[time]));
      EXPECT_LE(off, is_real() ? 1 : 0) << record[time] << " " << row[time];
      record[time] = row[time];
    }
    if (row == record) continue;
    EXPECT_EQ(0u, different++) << ::testing::PrintToString(row) << "\n" << ::testing::PrintToString(record);
  }
  EXPECT_EQ(0u, different);
  for (const char* hard : {"\"", ",", "\n", "\r", "\t", "\\", "Zürich", "\xFF", "\x01"})
    EXPECT_THAT(all_texts, HasSubstr(hard));
  EXPECT_GE(longest, 4096u);
}

TEST(Dump, OfJsonLinesIsTheSameAndAlwaysValid) {
  Server server({});
  fill_digests(server);
  const Printed printed = print(server, {"--format=jsonl"});
  ASSERT_EQ(kExitOk, printed.ran.exit_code) << printed.ran.output;
  std::vector<std::vector<std::string>> lines;
  std::istringstream text(printed.text);
  for (std::string line; std::getline(text, line);) {
    const auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << line;
    ASSERT_TRUE(json["count_star"].is_number() && json["sum_time_us"].is_number() && json["hostgroup"].is_number());
    std::vector<std::string> values;
    for (const auto& [name, value] : json.items()) {
      if (name == "pod_name") continue;
      const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
      values.push_back(name.ends_with("_seen") ? std::to_string(epoch_seconds(shown)) : shown);
    }
    lines.push_back(values);
  }
  auto rows = server.query(kTable);
  ASSERT_EQ(rows.size(), lines.size());
  // What isn't UTF-8 is replaced, by as many characters as one likes.
  const auto replaced = [](const std::string& cell) {
    const std::string json = nlohmann::json(cell).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    auto valid = nlohmann::json::parse(json).get<std::string>();
    for (const std::string twice = "\xEF\xBF\xBD\xEF\xBF\xBD"; valid.find(twice) != std::string::npos;) {
      valid.erase(valid.find(twice), twice.size() / 2);
    }
    return valid;
  };
  sort_rows(lines, 0);
  sort_rows(rows, 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i].size(), lines[i].size());
    for (size_t column = 0; column < rows[i].size(); ++column) {
      if (is_real() && (column == 7 || column == 8)) continue;
      ASSERT_EQ(replaced(rows[i][column]), replaced(lines[i][column])) << "row " << i << ", column " << column;
    }
  }
}

TEST(Dump, SaysWhereAndForWhom) {
  Server server({});
  fill_digests(server);
  const Dumped dumped(server, {});
  const std::string file = dumped.file();
  EXPECT_THAT(dumped.ran.output, HasSubstr(file + "\n")) << "for a script";
  EXPECT_THAT(dumped.ran.output, HasSubstr("rows of stats_mysql_query_digest to " + file));
  char pod[256] = {};
  ::gethostname(pod, sizeof pod);
  EXPECT_THAT(file, ::testing::MatchesRegex(".*/" + std::string(pod) +
                                            "-stats_mysql_query_digest-........T......\\....Z\\.csv"));
  struct stat found {};
  ASSERT_EQ(0, ::stat(file.c_str(), &found));
  EXPECT_EQ(0600u, found.st_mode & 07777);
}

TEST(Dump, OfNoRowsIsTheHeaderAlone) {
  Server server({});
  fill_digests(server);
  ASSERT_EQ(kExitOk, Dumped(server, {"--reset"}).ran.exit_code);
  const Dumped empty(server, {});
  EXPECT_EQ(kExitOk, empty.ran.exit_code) << empty.ran.output;
  EXPECT_EQ(kHeader, content(empty.file()));
  const Dumped json(server, {"--format=jsonl"});
  EXPECT_EQ(kExitOk, json.ran.exit_code) << json.ran.output;
  EXPECT_EQ("", content(json.file()));
  EXPECT_THAT(json.file(), ::testing::EndsWith(".jsonl"));
}

// 300,000 rows are more than the memory that the process allows itself.
TEST(Dump, OfAnySizeTakesLittleMemory) {
  if (is_real()) GTEST_SKIP() << "takes a real server long";
  Server server({});
  server.control("digests 300000");
  const Dumped dumped(server, {});
  ASSERT_EQ(kExitOk, dumped.ran.exit_code) << dumped.ran.output;
  EXPECT_THAT(dumped.ran.output, HasSubstr("dumped 300000 rows"));
  EXPECT_GT(std::filesystem::file_size(dumped.file()), size_t{64 << 20});
}

// Each statement of the client is in exactly one of the dumps.
TEST(Dump, WithResetLosesNothingAndCountsNothingTwice) {
  Server server({});
  answer_at_once(server, "dumped");
  std::atomic<bool> stop{false};
  std::atomic<int64_t> asked{0};
  std::string failure;
  std::thread client([&] {
    const Deadline deadline = Deadline::after(kPatience);
    auto connection = AdminClient::connect({"127.0.0.1", server.mysql_port(), "app", "app", false}, deadline);
    if (!connection) {
      failure = connection.error().text;
      return;
    }
    while (!stop) {
      const auto answer = connection->query("SELECT " + std::to_string(asked) + " FROM dumped", deadline);
      if (!answer) {
        failure = answer.error().text;
        return;
      }
      ++asked;
    }
  });
  EXPECT_TRUE(eventually([&] { return asked > 10 || !failure.empty(); }));
  int64_t counted = 0;
  int dumps_with_rows = 0;
  const auto dump = [&] {
    const Dumped dumped(server, {"--reset"});
    EXPECT_EQ(kExitOk, dumped.ran.exit_code) << dumped.ran.output;
    for (const CsvRecord& record : dumped.records()) {
      if (record[6].find("FROM dumped") == std::string::npos) continue;
      counted += std::stoll(record[7]);
      ++dumps_with_rows;
    }
  };
  for (int i = 0; i < 5; ++i) {
    const int64_t before = asked;
    dump();
    EXPECT_TRUE(eventually([&] { return asked > before || !failure.empty(); }));
  }
  stop = true;
  client.join();
  EXPECT_EQ("", failure);
  dump();
  EXPECT_EQ(asked, counted);
  EXPECT_GE(dumps_with_rows, 2);
}

TEST(Dump, WithResetAsksOnce) {
  if (is_real()) GTEST_SKIP() << "needs the double's journal";
  Server server({});
  server.control("digests 10");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--reset"}, {"stats_mysql_query_digest_reset"}, {"stats_mysql_query_digest_reset", "--reset"}}) {
    const uint64_t before = server.control("stats")["last_statement"];
    const Dumped dumped(server, arguments);
    EXPECT_EQ(kExitOk, dumped.ran.exit_code) << dumped.ran.output;
    EXPECT_THAT(dumped.file(), HasSubstr("-stats_mysql_query_digest-2"));
    const auto statements = server.control("statements " + std::to_string(before))["statements"];
    ASSERT_EQ(1u, statements.size()) << statements;
    EXPECT_EQ("SELECT * FROM stats_mysql_query_digest_reset", statements[0]["text"]);
  }
}

TEST(Dump, OfAnotherTable) {
  Server server({});
  const Printed printed = print(server, {"stats_mysql_global"});
  EXPECT_EQ(kExitOk, printed.ran.exit_code) << printed.ran.output;
  const auto records = read_csv(printed.text);
  ASSERT_TRUE(records);
  EXPECT_EQ((CsvRecord{"pod_name", "Variable_Name", "Variable_Value"}), (*records)[0]);
  EXPECT_THAT(printed.text, HasSubstr(",ProxySQL_Uptime,"));
}

TEST(Dump, OfATableThatIsNotThereIsProxySQLsError) {
  Server server({});
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"stats_no_such"}, {"stats_mysql_global", "--reset"}}) {
    const Dumped dumped(server, arguments);
    EXPECT_EQ(kExitStatement, dumped.ran.exit_code) << dumped.ran.output;
    EXPECT_THAT(dumped.ran.output, HasSubstr("no such table: stats_"));
    EXPECT_THAT(dumped.ran.output, Not(HasSubstr("lost")));
    EXPECT_TRUE(files_in(dumped.dir).empty());
  }
}

TEST(Dump, RefusesTheTableThatHangsTheAdminInterface) {
  Server server({});
  const Dumped dumped(server, {"stats_proxysql_servers_metrics"});
  EXPECT_EQ(kExitUsage, dumped.ran.exit_code);
  EXPECT_THAT(dumped.ran.output, HasSubstr("can hang ProxySQL's admin interface"));
}

struct BrokenCase {
  const char* name;
  const char* fault;  // the double's control line, without "fault"
  std::vector<int> exit_codes;
  const char* loss;  // what a dump with --reset says of ProxySQL's counts
};
void PrintTo(const BrokenCase& each, std::ostream* out) { *out << each.name; }

class BrokenDumpTest : public ::testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenDumpTest, LeavesNoFileAndSaysWhy) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  constexpr milliseconds kTimeout{500};
  constexpr milliseconds kSlack{500};
  Server server({});
  server.control("digests 3000");
  server.control("fault " + std::string(GetParam().fault));
  for (const bool reset : {false, true}) {
    std::vector<std::string> arguments = {"--timeout-ms=" + std::to_string(kTimeout.count())};
    if (reset) arguments.push_back("--reset");
    const Dumped dumped(server, arguments);
    EXPECT_THAT(GetParam().exit_codes, ::testing::Contains(dumped.ran.exit_code)) << dumped.ran.output;
    EXPECT_LE(dumped.ran.took, kTimeout + kSlack);
    EXPECT_TRUE(files_in(dumped.dir).empty());
    // One that its hard timer ended, on a busy machine, can't say anything any more.
    if (dumped.ran.exit_code == kExitTimeout && dumped.ran.output.empty()) continue;
    EXPECT_THAT(dumped.ran.output, HasSubstr("[error]"));
    const std::string loss = "what ProxySQL counted since the last reset ";
    if (reset && *GetParam().loss != '\0') {
      EXPECT_THAT(dumped.ran.output, HasSubstr(loss + GetParam().loss));
    } else {
      EXPECT_THAT(dumped.ran.output, Not(HasSubstr(loss)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Faults, BrokenDumpTest,
    ::testing::Values(BrokenCase{"LoginSilence", "login silence", {kExitTimeout}, ""},
                      BrokenCase{"GreetingReset", "greeting reset", {kExitUnavailable}, ""},
                      BrokenCase{"QuerySilence", "query silence", {kExitTimeout}, "may be lost"},
                      BrokenCase{"QueryReset", "query reset", {kExitUnavailable}, "may be lost"},
                      BrokenCase{"QueryError", "query error", {kExitStatement}, ""},
                      BrokenCase{"QueryEndless", "query endless", {kExitTimeout}, "is lost"},
                      BrokenCase{"ResultSilence", "result silence", {kExitTimeout}, "is lost"},
                      BrokenCase{"ResultSlow", "result slow", {kExitTimeout}, "is lost"},
                      BrokenCase{"ResultReset", "result reset", {kExitUnavailable}, "is lost"},
                      BrokenCase{"ResultTruncated", "result truncated", {kExitUnavailable}, "is lost"},
                      BrokenCase{"ResultGarbage", "result garbage", {kExitTimeout, kExitUnavailable}, "is lost"}),
    [](const auto& each) { return each.param.name; });

TEST(Dump, OfAWedgedServerEndsInTimeAndLeavesNoFile) {
  Server server({});
  server.wedge(seconds(4));
  const Dumped dumped(server, {"--timeout-ms=400", "--reset"});
  EXPECT_EQ(kExitTimeout, dumped.ran.exit_code) << dumped.ran.output;
  EXPECT_LE(dumped.ran.took, milliseconds(900));
  EXPECT_THAT(dumped.ran.output, HasSubstr("no answer in time"));
  EXPECT_THAT(dumped.ran.output, HasSubstr("may be lost"));
  EXPECT_TRUE(files_in(dumped.dir).empty());
  server.unwedge();
}

// Its thread would stay in ProxySQL beside those of the beats.
TEST(Dump, StandsAsideWhileBeatsBackOff) {
  Server::Options options;
  options.pulse = "interval_ms=5000, timeout_ms=300, backoff_max_ms=30000, ";
  Server server(options);
  server.wedge(seconds(4));
  ASSERT_EQ(kExitTimeout, server.beat().exit_code);
  const int threads = server.threads();
  const Dumped dumped(server, {});
  EXPECT_EQ(kExitSkipped, dumped.ran.exit_code) << dumped.ran.output;
  EXPECT_THAT(dumped.ran.output, HasSubstr("beats back off"));
  EXPECT_TRUE(files_in(dumped.dir).empty());
  EXPECT_GE(threads, server.threads());
  server.unwedge();
}

// A big one would hold up its steps.
TEST(Dump, StandsAsideWhileADrainRuns) {
  Server::Options options;
  options.pulse = "drain={ timeout_ms=20000, settle_ms=3000 }, ";
  Server server(options);
  ASSERT_EQ(kExitOk, server.beat().exit_code);
  Process drain(server.pulse({"drain", "--no-shutdown"}), server.dir(), {{}, "drain", {}});
  ASSERT_TRUE(eventually([&] { return server.status()["state"] == "draining" || !drain.running(); }));
  const Dumped during(server, {});
  EXPECT_EQ(kExitSkipped, during.ran.exit_code) << during.ran.output;
  EXPECT_THAT(during.ran.output, HasSubstr("a drain is running"));
  EXPECT_TRUE(files_in(during.dir).empty());
  ASSERT_EQ(kExitOk, drain.wait()) << drain.output();
  EXPECT_EQ(kExitOk, Dumped(server, {}).ran.exit_code) << "and a drained one can be dumped before its end";
}

TEST(Dump, RunsOnceAtATimeAndLetsBeatsRun) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server server({});
  server.control("digests 10");
  server.control("fault result silence match=digest");
  Process first(server.pulse({"dump", "--output=-"}), server.dir(), {{}, "first", {}});
  EXPECT_TRUE(eventually([&] { return server.control("stats")["last_statement"] == 1; }));
  const Dumped second(server, {"stats_mysql_global"});
  EXPECT_EQ(kExitSkipped, second.ran.exit_code) << second.ran.output;
  EXPECT_THAT(second.ran.output, HasSubstr("another dump"));
  EXPECT_EQ(kExitOk, server.beat().exit_code);
  first.signal(SIGKILL);
  EXPECT_TRUE(first.wait());
  EXPECT_EQ(kExitOk, Dumped(server, {"stats_mysql_global"}).ran.exit_code);
}

TEST(Dump, ThatIsKilledLeavesNoFile) {
  if (is_real()) GTEST_SKIP() << "needs the double's faults";
  Server server({});
  server.control("digests 3000");
  server.control("fault result silence match=digest");
  const TempDir dir;
  const UniqueFd nameless(::open(dir.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!nameless) GTEST_SKIP() << "this file system has no files without a name";
  Process process(server.pulse({"dump", "--output=" + dir.path()}), server.dir(), {{}, "killed", {}});
  EXPECT_TRUE(eventually([&] { return server.control("stats")["last_statement"] == 1; }));
  process.signal(SIGKILL);
  EXPECT_TRUE(process.wait());
  EXPECT_TRUE(files_in(dir).empty());
}

TEST(Dump, WithResetAsksNothingWhereItCannotWrite) {
  Server server({});
  fill_digests(server);
  for (const std::string& directory : {std::string("/proc"), server.dir() / "none", server.config()}) {
    const Ran ran = run_to_end(server.pulse({"dump", "--reset", "--output=" + directory}), server.dir());
    EXPECT_EQ(kExitOutput, ran.exit_code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(directory));
    EXPECT_THAT(ran.output, HasSubstr("--output takes a directory"));
    EXPECT_THAT(ran.output, Not(HasSubstr("lost")));
  }
  EXPECT_GT(Dumped(server, {}).records().size(), 1000u);
}

TEST(Dump, ThatOutgrowsTheLimitLeavesNoFile) {
  Server server({});
  fill_digests(server);
  const Dumped dumped(server, {"--reset"}, [] {
    const rlimit limit{50'000, 50'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(kExitOutput, dumped.ran.exit_code) << dumped.ran.output;
  EXPECT_THAT(dumped.ran.output, HasSubstr("File too large"));
  EXPECT_THAT(dumped.ran.output, HasSubstr("is lost"));
  EXPECT_TRUE(files_in(dumped.dir).empty());
}

TEST(Dump, OntoAFullDiskIsAClearError) {
  Server server({});
  fill_digests(server);
  const TempDir disk;
  const auto mount_small_disk = [&disk] {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=64k") == 0;
    if (!mounted) ::_exit(99);
  };
  const Ran ran = run_to_end(server.pulse({"dump", "--output=" + disk.path()}), server.dir(), {}, mount_small_disk);
  if (ran.exit_code == 99) GTEST_SKIP() << "may not mount a disk of its own";
  EXPECT_EQ(kExitOutput, ran.exit_code) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("write in " + disk.path() + ": No space left on device"));
}

TEST(Dump, IntoAPipeThatNobodyReadsIsAnError) {
  Server server({});
  fill_digests(server);
  const auto into_pipe = [&](bool closed, const std::string& table) {
    int ends[2];
    EXPECT_EQ(0, ::pipe2(ends, O_CLOEXEC));
    UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    if (closed) reader.reset();
    return run_to_end(server.pulse({"dump", table, "--output=-", "--timeout-ms=1000"}), server.dir(), {},
                      [&writer] { ::dup2(writer.get(), STDOUT_FILENO); });
  };
  for (const char* table : {"stats_mysql_query_digest", "stats_mysql_global"}) {  // more and less than one write
    const Ran closed = into_pipe(true, table);
    EXPECT_EQ(kExitOutput, closed.exit_code) << closed.output;
    EXPECT_THAT(closed.output, HasSubstr("to standard output: Broken pipe"));
  }
  const Ran resting = into_pipe(false, "stats_mysql_query_digest");
  EXPECT_EQ(kExitTimeout, resting.exit_code) << resting.output;
  EXPECT_THAT(resting.output, HasSubstr("to standard output: timed out"));
  EXPECT_LE(resting.took, milliseconds(2000));
}

}  // namespace
}  // namespace pulse::test
