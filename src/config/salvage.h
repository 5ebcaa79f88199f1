// What can still be read of a configuration file that has an error by now.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

// The groups `pulse` and those of `*_variables` of `text`, and what it includes at its top, as a text of the same
// grammar: a drain needs no more, and it mustn't be stopped by an error in somebody's list of users. "" if one
// of them is there and can't be told from its begin to its end. Pure; looks at words, strings, comments and brackets
// alone.
std::string salvage_groups(std::string_view text);

}  // namespace pulse
