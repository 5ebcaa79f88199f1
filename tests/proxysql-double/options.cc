#include "tests/proxysql-double/options.h"

#include <set>

namespace proxysql_double {

pulse::Result<Options> parse_options(int argc, char** argv) {
  const std::set<std::string> accepted_and_ignored = {"-f", "--foreground", "--no-version-check",
                                                      "-M", "--no-monitor", "--idle-threads"};
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    std::string* value = nullptr;
    if (argument == "-c" || argument == "--config") value = &options.config_file;
    if (argument == "-D" || argument == "--datadir") value = &options.data_dir;
    if (argument == "--control") value = &options.control_path;
    if (argument == "--proxysql-version") value = &options.version;
    if (value != nullptr) {
      if (i + 1 == argc) return pulse::Error{argument + ": a value is missing", 1};
      *value = argv[++i];
    } else if (argument == "--initial") {
      options.initial = true;
    } else if (argument == "--mysql-workers=false") {
      options.mysql = false;
    } else if (argument == "--pgsql-workers=false") {
      options.pgsql = false;
    } else if (argument == "--reload") {
      options.reload = true;
    } else if (argument == "--die-with-parent") {
      options.die_with_parent = true;
    } else if (!accepted_and_ignored.contains(argument)) {
      return pulse::Error{argument + ": unknown option", 1};
    }
  }
  return options;
}

}  // namespace proxysql_double
