// Users by number, for messages.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace pulse {

// "user 1000 (alice)", or "user 1000" if no line of /etc/passwd is of that number. Read by hand: a static program
// can't use NSS.
std::string user_text(uid_t uid);

// The name of `uid` in the text of a passwd(5) file; "" if it has none. The view is of `passwd`.
std::string_view user_name(std::string_view passwd, uid_t uid);

}  // namespace pulse
