#include "scheduler/install.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "src/base/exit_code.h"
#include "src/base/log.h"
#include "src/base/unique_fd.h"

namespace pulse {

Result<std::string> install_program(const std::string& program, const std::string& directory) {
  const UniqueFd from(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return system_error("open " + program, errno);
  const std::string path = directory + "/proxysql-pulse";
  const std::string hidden = directory + "/.proxysql-pulse." + std::to_string(::getpid());
  const UniqueFd to(::open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700));
  if (!to) return system_error("create " + hidden, errno);
  const auto failed = [&hidden](const std::string& what) {
    Error error = system_error(what, errno);
    ::unlink(hidden.c_str());
    return error;
  };
  constexpr size_t kPiece = 1 << 20;
  ssize_t copied = 0;
  while ((copied = ::sendfile(to.get(), from.get(), nullptr, kPiece)) > 0) {
  }
  if (copied < 0) return failed("write " + hidden);
  if (::fchmod(to.get(), 0755) != 0) return failed("make " + hidden + " executable");
  if (::rename(hidden.c_str(), path.c_str()) != 0) return failed("rename " + hidden + " to " + path);
  return path;
}

namespace {

int run_install(const Options& options) {
  const auto path = install_program("/proc/self/exe", options.arguments.front());
  if (!path) {
    log_error(path.error().text);
    return kExitOutput;
  }
  std::printf("%s\n", path->c_str());
  return kExitOk;
}

Result<Options> check_install(Options options) {
  if (options.arguments.size() != 1) return Error{"install takes one directory"};
  return options;
}

constexpr std::array<Exit, 2> kInstallExits = {{{nullptr, kExitOk}, {"it can't be written there", kExitOutput}}};

}  // namespace

constinit const Command kInstallCommand = {
    .name = "install",
    .summary = "copies this program into a directory, such as a volume",
    .usage = "DIRECTORY [OPTION...]",
    .about = R"(For an init container: Pulse's image has no cp. The program is then at
DIRECTORY/proxysql-pulse, for ProxySQL's own image to run. One that is there is
replaced in one step.
)",
    .options = {},
    .exits = kInstallExits,
    .takes_name = true,
    .check = check_install,
    .run = run_install,
};

}  // namespace pulse
