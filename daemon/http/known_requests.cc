#include "daemon/http/known_requests.h"

#include <utility>

namespace pulse {

bool KnownRequest::write(const HttpResponse& response, std::string& out) const {
  const bool same = !answer_head_.empty() && response.status == status_ && response.body.size() == body_size_ &&
                    response.headers.empty() && response.content_type == content_type_;
  if (same) out.append(answer_head_).append(response.body);
  return same;
}

void KnownRequest::learn(const HttpResponse& response, std::string_view written) {
  answer_head_.clear();
  if (!response.headers.empty() || !written.ends_with(response.body)) return;
  written.remove_suffix(response.body.size());
  if (!written.ends_with("\r\n\r\n")) return;
  answer_head_ = written;
  status_ = response.status;
  content_type_ = response.content_type;
  body_size_ = response.body.size();
}

KnownRequest* KnownRequests::find(std::string_view in) {
  for (KnownRequest& one : known_) {
    if (!one.head.empty() && in.starts_with(one.head)) return &one;
  }
  return nullptr;
}

void KnownRequests::remember(std::string_view head, HttpRequest request, bool http_1_0, bool keep_alive) {
  if (head.size() > kLongest) return;
  KnownRequest one;
  one.head = head;
  one.request = std::move(request);
  one.http_1_0 = http_1_0;
  one.keep_alive = keep_alive;
  known_[next_] = std::move(one);
  next_ = (next_ + 1) % known_.size();
}

}  // namespace pulse
