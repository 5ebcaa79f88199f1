// The files of proxysql.cnf: the one that is read first, and those that it includes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "src/base/result.h"

namespace pulse {

struct CnfFile {
  std::string path;  // as it was opened
  std::string text;
  uint64_t identity = 0;  // see identity.h; 0 of /dev/null
  bool beside = false;    // not in the working directory, but in another
};

// Reads a regular file of at most `most` bytes. Nothing is waited for, and nothing else is read.
Result<CnfFile> read_cnf_file(const std::string& path, size_t most);

// The same for a file that another includes as `name`: an absolute name is opened as it is, another in the working
// directory, or else, if it can't be opened there, in `directory`, which ends in '/' or is empty. It may be /dev/null.
Result<CnfFile> read_included_file(const std::string& name, const std::string& directory, size_t most);

}  // namespace pulse
