// A terminal of a real size with a program in it: tmux, on a socket of its own, ended with the object.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/support.h"
#include "tests/temp_dir.h"

namespace pulse::test {

class Terminal {
 public:
  // Whether tmux is installed; a test skips where it isn't.
  static bool available();

  // Runs `argv` in `columns` times `rows`, in the directory of the terminal's own; the environment is PATH, HOME and
  // TERM alone.
  Terminal(const std::vector<std::string>& argv, int columns, int rows);
  ~Terminal();

  // What is on it, each line without the spaces at its end; the lines below the last one with text are missing.
  // `joined`: lines that the terminal has wrapped, because they were longer than it is wide, are one.
  std::vector<std::string> lines(bool joined = false);
  std::string text();

  // Types `text`, or presses one key by tmux's name for it: "Tab", "Enter", "C-c".
  void type(const std::string& text);
  void press(const std::string& key);

  // Whether the program has ended.
  bool ended();

 private:
  std::string tmux(std::vector<std::string> arguments);

  TempDir dir_;
  Process server_;
};

}  // namespace pulse::test
