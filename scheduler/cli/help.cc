#include "scheduler/cli/help.h"

#include <algorithm>

namespace pulse {

namespace {

constexpr size_t kColumns = 79;
constexpr size_t kOptionText = 25;  // the column where an option's text begins
constexpr size_t kSummary = 17;

std::string padded(std::string text, size_t columns) {
  text.resize(std::max(columns, text.size() + 1), ' ');
  return text;
}

// "      --timeout-ms N     50 to 60000 (10000)"
std::string option_lines(const Option& option) {
  std::string head = option.letter == 0 ? "      " : std::string("  -") + option.letter + ", ";
  head += std::string("--") + option.name + (option.value == nullptr ? "" : std::string(" ") + option.value);
  std::string text = option.text;
  if (const size_t at = text.find("{}"); at != std::string::npos) {
    text.replace(at, 2, std::to_string(option.least) + " to " + std::to_string(option.most));
  }
  std::string lines = padded(std::move(head), kOptionText);
  for (const char c : text) {
    lines += c;
    if (c == '\n') lines.append(kOptionText, ' ');
  }
  lines.resize(lines.size() - kOptionText);
  return lines;
}

std::string common_lines() {
  std::string lines = "\nOptions of all commands:\n";
  for (const Option& option : common_options()) lines += option_lines(option);
  return lines + "  -h, --help             this text\n";
}

std::string wrapped(const std::string& text) {
  std::string lines, line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) {
      lines += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  return lines + line + "\n";
}

std::string exit_text(const Exit& exit) {
  if (exit.code < 0) return exit.meaning;
  std::string text = std::to_string(exit.code);
  for (const int code : {exit.second, exit.third}) {
    if (code >= 0) text += ", " + std::to_string(code);
  }
  const ExitCodeRow* const row = find_exit_code(exit.code);
  return text + " " + (exit.meaning != nullptr ? exit.meaning : row != nullptr ? row->meaning : "");
}

}  // namespace

std::string program_help(const Program& program) {
  std::string help = std::string(program.about) + "\nUsage: proxysql-pulse [OPTION...] COMMAND\n\nCommands:\n";
  for (const Command* command : program.commands) {
    help += padded("  " + std::string(command->name), kSummary) + command->summary + "\n";
  }
  help += "\n" + std::string(program.more) + common_lines();
  help +=
      "      --timeout-ms N     the hard timeout of this run\n"
      "  -V, --version          the version\n";
  std::string exits;
  for (const ExitCodeRow& row : kExitCodes) {
    exits += (exits.empty() ? "Exit codes: " : "; ") + exit_text({nullptr, row.code});
  }
  return help + "\n" + wrapped(exits + ". " + program.exits);
}

std::string command_help(const Command& command) {
  std::string help =
      "Usage: proxysql-pulse " + std::string(command.name) + " " + command.usage + "\n\n" + command.about;
  if (!command.options.empty()) help += "\n";
  for (const Option& option : command.options) help += option_lines(option);
  if (*command.more != 0) help += "\n" + std::string(command.more);
  std::string exits;
  for (const Exit& exit : command.exits) exits += (exits.empty() ? "Exit codes: " : "; ") + exit_text(exit);
  if (!exits.empty()) help += "\n" + wrapped(exits + ".");
  return help + common_lines();
}

std::vector<std::string> options_in(const std::string& help) {
  std::vector<std::string> options;
  for (size_t at = 0; (at = help.find("--", at)) != std::string::npos; at += 2) {
    const size_t end = std::min(help.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at), help.size());
    std::string option = help.substr(at, end - at);
    if (option.size() > 2 && std::find(options.begin(), options.end(), option) == options.end()) {
      options.push_back(std::move(option));
    }
  }
  return options;
}

}  // namespace pulse
