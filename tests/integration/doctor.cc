#include "tests/integration/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/base/exit_code.h"

namespace pulse::test {

namespace {

int exit_code_for(const std::string& worst) {
  return worst == "critical" ? kExitCritical : worst == "warning" ? kExitWarning : kExitOk;
}

std::string line_of(const nlohmann::json& finding) {
  const auto text = [&](const char* key) { return finding[key].get<std::string>(); };
  return text("severity") + " " + text("subject") + ": " + text("what") + " | " + text("means") + " | " +
         text("action");
}

}  // namespace

std::string Diagnosis::ills() const {
  if (!json.is_object()) return "no JSON: " + ran.output;
  std::string text;
  for (const auto& one : json["findings"]) {
    if (one["severity"] != "ok") text += line_of(one) + "\n";
  }
  return text;
}

bool Ill::is_in(const Diagnosis& diagnosis) const {
  if (!diagnosis.json.is_object()) return false;
  const auto& findings = diagnosis.json["findings"];
  return std::any_of(findings.begin(), findings.end(), [this](const nlohmann::json& one) {
    const std::string line = line_of(one);
    return line.starts_with(severity + " " + subject + ": ") &&
           std::all_of(words.begin(), words.end(),
                       [&](const std::string& word) { return line.find(word) != std::string::npos; });
  });
}

Diagnosis diagnose(const Server& server, const std::vector<std::string>& environment,
                   const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"doctor", "--json"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Diagnosis out{server.run(argv, environment), {}};
  const size_t open = out.ran.output.find('{');
  out.json = nlohmann::json::parse(open == std::string::npos ? "" : out.ran.output.substr(open), nullptr, false);
  if (out.json.is_object()) {
    EXPECT_EQ(exit_code_for(out.json["worst"]), out.ran.exit_code) << out.ran.output;
  } else {
    EXPECT_EQ(kExitTimeout, out.ran.exit_code) << "no JSON: " << out.ran.output;
  }
  return out;
}

void wait_for(const Ill& ill, const Look& look) {
  Diagnosis last;
  EXPECT_TRUE(eventually([&] {
    last = look();
    return ill.is_in(last);
  })) << "it doesn't come, there is:\n"
      << last.ills();
}

void wait_for_end_of(const Ill& ill, const Look& look) {
  Diagnosis last;
  EXPECT_TRUE(eventually([&] {
    last = look();
    return last.json.is_object() && !ill.is_in(last);
  })) << "it doesn't go, there is:\n"
      << last.ills();
}

void comes_and_goes(const Ill& ill, const Look& look, const std::function<void()>& make,
                    const std::function<void()>& mend) {
  SCOPED_TRACE(ill.severity + " " + ill.subject + ": " + (ill.words.empty() ? "" : ill.words.front()));
  const Diagnosis before = look();
  EXPECT_FALSE(ill.is_in(before)) << before.ills();
  make();
  wait_for(ill, look);
  mend();
  wait_for_end_of(ill, look);
}

Server::Options healthy_node() {
  Server::Options options;
  options.role = "standalone";
  options.beat_interval_ms = 500;
  options.mysql_servers =
      "{ address=\"127.0.0.1\", port=3306, hostgroup=0 }, { address=\"127.0.0.1\", port=3307, hostgroup=0 },";
  return options;
}

void wait_for_beats(const Server& server) {
  ASSERT_TRUE(eventually([&] { return server.status()["counters"]["ok"] >= 2; })) << server.log();
}

}  // namespace pulse::test
