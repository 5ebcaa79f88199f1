#include "daemon/http/message.h"

#include <utility>

#include "daemon/http/http_request.h"

namespace pulse {

std::string_view HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& candidate : headers) {
    if (equal_ignoring_case(candidate.name, name)) return candidate.value;
  }
  return {};
}

HttpResponse json_response(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse http_error(int status, std::string_view message) {
  std::string body = R"({"status":"error","message":")";
  body.append(message).append("\"}\n");
  return json_response(status, std::move(body));
}

}  // namespace pulse
