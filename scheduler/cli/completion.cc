#include "scheduler/cli/completion.h"

#include <vector>

#include "scheduler/cli/help.h"

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

// Bash takes --config=FILE for three words, zsh for one.
constexpr const char* kScript = R"sh(_proxysql_pulse() {
  local current=${COMP_WORDS[COMP_CWORD]} previous= command= config=/etc/proxysql.cnf word words= line
  for word in "${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    [[ $word == -- ]] && { COMPREPLY=($(compgen -c -f -- "$current")); return; }
    [[ $word == "=" ]] && continue
    case $previous in
      -c | --config) config=$word previous= ; continue ;;
      --state | --group | --timeout-ms | --output | --format) previous= ; continue ;;
    esac
    [[ $word == --config=* ]] && config=${word#*=}
    previous=$word
    case " @COMMANDS@ " in *" $word "*) [[ $command ]] || command=$word ;; esac
  done
  [[ $current == "=" ]] && current=
  case $previous in
    -c | --config | --state | --output) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --format) COMPREPLY=($(compgen -W 'csv jsonl' -- "$current")); return ;;
    --group | --timeout-ms) return ;;
  esac
  case $current in
    --config=* | --state=* | --output=*)  # zsh's compgen -f would look for a file of that whole name
      COMPREPLY=()
      for word in "${current#*=}"*; do [[ -e $word ]] && COMPREPLY+=("${current%%=*}=$word"); done
      return ;;
  esac
  case $command in
    '') words='@COMMANDS@' ;;
@ARGUMENTS@    job)
      [[ $previous == job || $previous == --config=* || $previous == '' ]] &&
        while read -r line; do
          [[ $line == 'pulse.jobs: { name="'* ]] && line=${line#*\"} && words+=" ${line%%\"*}"
        done < <("${COMP_WORDS[0]}" check-config --config "$config" 2> /dev/null) ;;
  esac
  [[ $current == -* ]] && case $command in
@OPTIONS@    *) words='@ALL@' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _proxysql_pulse proxysql-pulse
)sh";

}  // namespace

std::string completion_script(bool zsh) {
  std::vector<std::string> names;
  std::string arguments, options;
  for (const Command& command : commands()) {
    names.emplace_back(command.name);
    const std::string pattern = "    " + std::string(command.name) + ") words='";
    if (!command.takes.empty()) arguments += pattern + joined(command.takes) + "' ;;\n";
    options += pattern + joined(options_in(command_help(command))) + "' ;;\n";
  }
  std::string script = replaced(kScript, "@ARGUMENTS@", arguments);
  script = replaced(script, "@OPTIONS@", options);
  script = replaced(script, "@ALL@", joined(options_in(program_help())));
  for (int i = 0; i < 2; ++i) script = replaced(script, "@COMMANDS@", joined(names));
  return (zsh ? "autoload -Uz bashcompinit && bashcompinit\n" : "") + script;
}

}  // namespace pulse
