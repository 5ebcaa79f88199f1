#include "scheduler/completion.h"

namespace pulse {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

std::string completion_script(bool zsh, const std::map<std::string, std::vector<std::string>>& commands,
                              const std::vector<std::string>& options) {
  std::vector<std::string> names;
  std::string arguments;
  for (const auto& [name, takes] : commands) {
    names.push_back(name);
    if (!takes.empty()) arguments += "    " + name + ") words='" + joined(takes) + "' ;;\n";
  }
  return std::string(zsh ? "autoload -Uz bashcompinit && bashcompinit\n" : "") +
         "_proxysql_pulse() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= word words=\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    [[ $word == -- ]] && { COMPREPLY=($(compgen -c -f -- \"$current\")); return; }\n"
         "    case \" " +
         joined(names) +
         " \" in *\" $word \"*) [[ $command ]] || command=$word ;; esac\n"
         "  done\n"
         "  case $previous in\n"
         "    -c | --config | --state | --output) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
         "  esac\n"
         "  case $command in\n"
         "    '') words='" +
         joined(names) + "' ;;\n" + arguments +
         "  esac\n"
         "  case $current in -*) words='" +
         joined(options) +
         "' ;; esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "}\n"
         "complete -F _proxysql_pulse proxysql-pulse\n";
}

}  // namespace pulse
