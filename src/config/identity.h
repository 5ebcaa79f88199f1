// Numbers that tell configuration files apart.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace pulse {

// A number for the file as `file` describes it: device, inode, size, times, and path; never 0.
uint64_t identity_of(const struct stat& file, const std::string& path);

// The same for the file as it is now; 0 if there is no such file. A beat that finds the segment at the default path
// made under the same number needn't read the file to know its path.
uint64_t config_identity(const std::string& path);

// `identity` together with those of the files that `text`, the file's, includes by @include, and of those that these
// include. Relative names are taken from `directory`. Costs nothing where nothing is included.
uint64_t identity_with_includes(uint64_t identity, std::string_view text, const std::string& directory);

// A number for the file's name alone, never 0.
uint64_t config_path_hash(const std::string& path);

}  // namespace pulse
