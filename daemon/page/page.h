// The page for people at / : one file that is part of the program. It reads /status and changes nothing.
#pragma once

#include <string_view>

#include "daemon/http/message.h"

namespace pulse {

// The file's text.
std::string_view page_text();

// The answer to GET /. Its policy lets the page run its own script and style, by their hashes, ask its own origin, and
// nothing else: no other file, no frame around it, no form.
HttpResponse page_response();

}  // namespace pulse
