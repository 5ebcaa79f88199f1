// Any bytes as the beginning of a connection to the probe daemon, as they come at once and byte by byte.
#include "daemon/http/http_request.h"

#include "tests/fuzz/fuzz.h"

using namespace pulse;
using fuzz::expect;

namespace {

constexpr RequestLimits kLimits{8 * 1024, 64 * 1024};

void check(const RequestHead& head) {
  expect(head.request_line.ends_with("\r\n"), "the request line is whole");
  expect(head.request_line.find_first_of("\r\n") == head.request_line.size() - 2, "and it is one line");
  expect(head.content_length <= kLimits.body_bytes, "the body is bounded");
  for (const HttpHeader& header : head.headers) {
    expect(!header.name.empty() && header.name.find_first_of(" \t\r\n:") == std::string::npos, "names are tokens");
    expect(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "values are one line");
    expect(!equal_ignoring_case(header.name, "Transfer-Encoding"), "there is one way to give a length");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  RequestFrame frame;
  RequestHead head;
  const Framing framing = frame_request(in, kLimits, frame, head);
  if (framing == Framing::refused) expect(head.refused >= 400 && head.refused < 500 && *head.reason != '\0', "why");
  if (framing == Framing::complete) {
    check(head);
    expect(frame.needed <= in.size() && frame.needed > 0, "a complete request is there");
  }

  // The server reads what there is: the outcome must not depend on how it is cut into pieces. What is refused may be
  // refused earlier.
  RequestFrame slow;
  RequestHead slow_head;
  Framing last = Framing::incomplete;
  for (size_t length = 1; length <= in.size() && last == Framing::incomplete; ++length) {
    last = frame_request(in.substr(0, length), kLimits, slow, slow_head);
  }
  if (framing == Framing::complete)
    expect(last == Framing::complete && slow.needed == frame.needed, "the same request");
  if (framing == Framing::incomplete) expect(last == Framing::incomplete, "still incomplete");
  if (framing == Framing::refused && last == Framing::complete) expect(false, "refused at once, but not in pieces");
  return 0;
}
