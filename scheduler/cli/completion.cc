#include "scheduler/cli/completion.h"

#include <array>
#include <cstdio>
#include <vector>

#include "scheduler/cli/help.h"
#include "scheduler/commands.h"

namespace pulse {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  text.replace(text.find(what), what.size(), by);
  return text;
}

// "-c | --config | --state", of the options that `is` is true for.
template <class Is>
std::string pattern(const Program& program, const char* ending, Is is) {
  std::string names;
  for (const Option* option : all_options(program)) {
    if (option->value == nullptr || !is(*option)) continue;
    if (option->letter != 0 && *ending == 0) names += (names.empty() ? "-" : " | -") + std::string{option->letter};
    names += (names.empty() ? "--" : " | --") + std::string(option->name) + ending;
  }
  return names;
}

// Bash takes --config=FILE for three words, zsh for one.
constexpr const char* kScript = R"sh(_proxysql_pulse() {
  local current=${COMP_WORDS[COMP_CWORD]} previous= command= config=/etc/proxysql.cnf word words= line
  for word in "${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    [[ $word == -- ]] && { COMPREPLY=($(compgen -c -f -- "$current")); return; }
    [[ $word == "=" ]] && continue
    case $previous in
      -c | --config) config=$word previous= ; continue ;;
      @VALUED@) previous= ; continue ;;
    esac
    [[ $word == --config=* ]] && config=${word#*=}
    previous=$word
    case " @COMMANDS@ " in *" $word "*) [[ $command ]] || command=$word ;; esac
  done
  [[ $current == "=" ]] && current=
  case $previous in
    @FILES@) COMPREPLY=($(compgen -f -- "$current")); return ;;
@WORDS@    @OTHERS@) return ;;
  esac
  case $current in
    @INLINE@)  # zsh's compgen -f would look for a file of that whole name
      COMPREPLY=()
      for word in "${current#*=}"*; do [[ -e $word ]] && COMPREPLY+=("${current%%=*}=$word"); done
      return ;;
  esac
  case $command in
    '') words='@COMMANDS@' ;;
@ARGUMENTS@  esac
  [[ $current == -* ]] && case $command in
@OPTIONS@    *) words='@ALL@' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _proxysql_pulse proxysql-pulse
)sh";

}  // namespace

std::string completion_script(const Program& program, bool zsh) {
  std::vector<std::string> names;
  std::string arguments, options, words;
  for (const Command* command : program.commands) {
    names.emplace_back(command->name);
    const std::string begin = "    " + std::string(command->name) + ")";
    if (!command->takes.empty()) {
      arguments += begin + " words='" + joined({command->takes.begin(), command->takes.end()}) + "' ;;\n";
    }
    if (command->completion != nullptr) arguments += begin + "\n" + command->completion;
    options += begin + " words='" + joined(options_in(command_help(*command))) + "' ;;\n";
  }
  for (const Option* option : all_options(program)) {
    if (option->completes != Completes::words) continue;
    words += "    --" + std::string(option->name) + ") COMPREPLY=($(compgen -W '" + option->words +
             "' -- \"$current\")); return ;;\n";
  }
  const auto files = [](const Option& option) { return option.completes == Completes::files; };
  std::string script = replaced(kScript, "@ARGUMENTS@", arguments);
  script = replaced(script, "@VALUED@", pattern(program, "", [](const Option& option) { return option.letter == 0; }));
  script = replaced(script, "@FILES@", pattern(program, "", files));
  script = replaced(script, "@WORDS@", words);
  script = replaced(script, "@OTHERS@",
                    pattern(program, "", [](const Option& option) { return option.completes == Completes::nothing; }));
  script = replaced(script, "@INLINE@", pattern(program, "=*", files));
  script = replaced(script, "@OPTIONS@", options);
  script = replaced(script, "@ALL@", joined(options_in(program_help(program))));
  for (int i = 0; i < 2; ++i) script = replaced(script, "@COMMANDS@", joined(names));
  return (zsh ? "autoload -Uz bashcompinit && bashcompinit\n" : "") + script;
}

namespace {

int run_completion(const Options& options) {
  std::fputs(completion_script(program(), options.arguments.front() == "zsh").c_str(), stdout);
  return kExitOk;
}

constexpr std::array<const char*, 2> kShells = {"bash", "zsh"};

}  // namespace

constinit const Command kCompletionCommand = {
    .name = "completion",
    .summary = "prints a script that completes command lines",
    .usage = "bash|zsh",
    .about = R"(Prints a script that completes command lines: commands, options, files, and the
names of the jobs in the file. In ~/.bashrc or ~/.zshrc:
  source <(proxysql-pulse completion bash)
)",
    .options = {},
    .takes = kShells,
    .run = run_completion,
};

}  // namespace pulse
