// Text of a proxysql.cnf on its way to libconfig. The changed text says the same in the same lines.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

// Returns `text` with the comma before a closing ')' , ']' or '}' replaced by a space, outside of strings and
// comments. ProxySQL's libconfig 1.7 accepts such trailing commas, bookworm's 1.5 doesn't; column numbers stay, too.
std::string without_trailing_commas(std::string_view text);

// Returns `text` with nothing but the first row of each list at the top level, other than `scheduler` and
// `proxysql_servers`: a file may have thousands of servers, users and rules, and reading them costs libconfig more than
// all else. What isn't read isn't checked either. A text with brackets that don't match or with an @include in such a
// list comes back as it is.
std::string with_first_rows(std::string_view text);

}  // namespace pulse
