#include "scheduler/users/account_source.h"

#include <sys/stat.h>

#include "src/base/file.h"

namespace pulse {

Result<SourceLogin> read_login(const std::string& path, std::string& warning) {
  constexpr size_t kMost = 4096;
  auto read = read_text_at_once(path, kMost);
  if (!read) return Error{"read " + read.error().text, read.error().code};
  SourceLogin login;
  std::string_view rest = *read;
  for (std::string* line : {&login.user, &login.password}) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    *line = rest.substr(0, end);
    if (!line->empty() && line->back() == '\r') line->pop_back();
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (login.user.empty() || login.password.empty()) {
    return Error{path + ": its first line is to be the user, its second the password"};
  }
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && (file.st_mode & S_IROTH) != 0) {
    warning = path + " may be read by everybody: chmod o-r";
  }
  return login;
}

bool is_on_this_host(const std::string& host) {
  return host.starts_with('/') || host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace pulse
