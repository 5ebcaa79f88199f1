#include "tests/integration/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

namespace pulse::test {

namespace {

constexpr const char* kTmux = "/usr/bin/tmux";

// No line of its own at the bottom; and the program's last words stay when it has ended.
std::vector<std::string> server_arguments(const TempDir& dir) {
  const std::string config =
      dir.write("tmux.conf", "set -g status off\nset -g remain-on-exit on\nset -g remain-on-exit-format ''\n");
  return {kTmux, "-D", "-u", "-S", dir / "socket", "-f", config};
}

}  // namespace

bool Terminal::available() { return ::access(kTmux, X_OK) == 0; }

Terminal::Terminal(const std::vector<std::string>& argv, int columns, int rows)
    : server_(server_arguments(dir_), dir_,
              {{"PATH=/usr/bin:/bin", "HOME=" + dir_.path(), "TERM=screen", "LANG=C.UTF-8"}, "tmux"}) {
  const bool listens = eventually([&] { return ::access((dir_ / "socket").c_str(), F_OK) == 0; });
  EXPECT_TRUE(listens) << server_.output();
  std::vector<std::string> arguments = {
      "new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(rows), "-c", dir_.path(), "--"};
  arguments.insert(arguments.end(), argv.begin(), argv.end());
  tmux(arguments);
}

Terminal::~Terminal() {
  tmux({"kill-server"});
  server_.wait();
}

std::string Terminal::tmux(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {kTmux, "-S", dir_ / "socket"});
  const Ran ran = run_to_end(arguments, dir_, {"LANG=C.UTF-8"});
  EXPECT_EQ(0, ran.exit_code) << ran.output;
  return ran.output;
}

std::vector<std::string> Terminal::lines(bool joined) {
  std::vector<std::string> arguments = {"capture-pane", "-p"};
  if (joined) arguments.push_back("-J");
  std::stringstream text(tmux(arguments));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    line.resize(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string Terminal::text() {
  std::string text;
  for (const std::string& line : lines()) text += line + "\n";
  return text;
}

void Terminal::type(const std::string& text) { tmux({"send-keys", "-l", "--", text}); }

void Terminal::press(const std::string& key) { tmux({"send-keys", key}); }

bool Terminal::ended() { return tmux({"display-message", "-p", "#{pane_dead}"}) == "1\n"; }

}  // namespace pulse::test
