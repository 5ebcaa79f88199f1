// Requests that came before, byte for byte, with what was made of them: a probe asks the same each time, and to read
// its header and to write the answer's would cost more than what it asks for.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/http/message.h"

namespace pulse {

struct KnownRequest {
  std::string head;     // as it came, through the empty line; it has no body
  HttpRequest request;  // but for what is the connection's own
  bool http_1_0 = false;
  bool keep_alive = true;

  // Appends the answer if one with that status, type and length was written for this request before: its header is the
  // same then. False if there is none.
  bool write(const HttpResponse& response, std::string& out) const;
  // Learns from an answer as it was written.
  void learn(const HttpResponse& response, std::string_view written);

 private:
  std::string answer_head_;  // empty: none
  int status_ = 0;
  std::string content_type_;
  size_t body_size_ = 0;
};

class KnownRequests {
 public:
  // The one that `in` begins with, or null. Valid until the next remember().
  KnownRequest* find(std::string_view in);
  // Keeps it instead of the one kept longest. Only what ends where its header ends may be kept.
  void remember(std::string_view head, HttpRequest request, bool http_1_0, bool keep_alive);

 private:
  static constexpr size_t kLongest = 1024;  // so that strangers can't fill memory

  std::array<KnownRequest, 8> known_;
  size_t next_ = 0;
};

}  // namespace pulse
