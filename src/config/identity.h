// Numbers that tell configuration files apart.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "src/config/cnf.h"

namespace pulse {

// A number for the file as `file` describes it: device, inode, size, times, and path; never 0.
uint64_t identity_of(const struct stat& file, const std::string& path);

// The same for the file as it is now; 0 if there is no such file. A beat that finds the segment at the default path
// made under the same number needn't read the file to know its path.
uint64_t config_identity(const std::string& path);

// `identity` together with those of the files that it includes.
uint64_t identity_with_includes(uint64_t identity, const std::vector<CnfInclude>& includes);

// A number for the file's name alone, never 0.
uint64_t config_path_hash(const std::string& path);

}  // namespace pulse
