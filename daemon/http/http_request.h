// An HTTP/1.1 request as bytes: where it ends and what its header says. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "daemon/http/message.h"

namespace pulse {

bool equal_ignoring_case(std::string_view a, std::string_view b);

struct RequestHead {
  int refused = 0;                // the status to refuse it with; 0 for a good one
  const char* reason = "";        // why, if refused
  std::string_view request_line;  // with its CRLF; a part of the text that was read
  std::vector<HttpHeader> headers;
  size_t content_length = 0;
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Reads a header; `text` ends with the empty line, the first that it has. Strict, since anything read differently by
// another party (a bare LF, a folded line, two lengths) would let a request be smuggled past it.
RequestHead parse_head(std::string_view text);

// How far looking for the end of a request has come.
struct RequestFrame {
  size_t scanned = 0;  // where the empty line that ends the header is, or how much of the input has none
  size_t needed = 0;   // length of the whole request, once its header is complete
};

struct RequestLimits {
  size_t header_bytes;  // request line included
  size_t body_bytes;
};

enum class Framing {
  incomplete,  // more is to come; if `frame.needed` has just been set, `head` is the request's
  complete,    // `head` is the request's, `frame.needed` its length
  refused,     // it can't become one: see `head`
};

// Looks at what stands at the front of `in`. To be called again with the same `frame` and the same input, grown, until
// it isn't incomplete any more.
Framing frame_request(std::string_view in, const RequestLimits& limits, RequestFrame& frame, RequestHead& head);

}  // namespace pulse
