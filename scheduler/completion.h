// What a shell needs to complete command lines of proxysql-pulse.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pulse {

// A script for bash, or for zsh through its emulation of bash's completion: `source <(proxysql-pulse completion bash)`.
// `commands` are names with the arguments that they take, `options` are words such as "--config".
std::string completion_script(bool zsh, const std::map<std::string, std::vector<std::string>>& commands,
                              const std::vector<std::string>& options);

}  // namespace pulse
