// Text of a proxysql.cnf on its way to libconfig.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

// Returns `text` with the comma before a closing ')' , ']' or '}' replaced by a space, outside of strings and
// comments. ProxySQL's libconfig 1.7 accepts such trailing commas, bookworm's 1.5 doesn't; line and column numbers
// stay.
std::string without_trailing_commas(std::string_view text);

}  // namespace pulse
