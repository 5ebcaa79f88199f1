// One connection of the HTTP server: what came, what is to go, and what it waits for.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "daemon/http/http_request.h"
#include "daemon/http/message.h"
#include "src/base/unique_fd.h"

namespace pulse {

// What a connection is waiting for.
enum Phase : size_t {
  kReading,    // for the rest of a request, or the first one
  kIdle,       // for the next request
  kRunnable,   // for its next turn, with complete requests buffered
  kDeferred,   // for complete()
  kWriting,    // for the peer to read its answer
  kLingering,  // for the peer to notice our FIN: closing with unread input would reset the connection under the answer
  kPhases
};

struct Connection {
  UniqueFd fd;
  uint32_t serial = 0;               // tells this connection's events from those of an earlier one with the same fd
  std::optional<uint32_t> interest;  // what epoll watches; nothing: it doesn't know the connection yet
  Phase phase = kReading;
  bool close_after = false;  // once `out` is written
  bool linger = false;       // ... and then by way of kLingering
  int64_t deadline_ns = 0;
  uint64_t token = 0;  // of the deferred request at the front of `in`; 0 if none
  RequestFrame frame;  // of the request at the front of `in`
  size_t sent = 0;     // bytes of `out` written
  std::string in;
  std::string out;
  in6_addr peer{};  // IPv4 as v4-mapped
  std::list<Connection>::iterator self;

  // Looks whether a complete request is at the front of `in`; `head` describes it, or why it can't become one. Answers
  // one that waits for "100 Continue".
  Framing next_request(const RequestLimits& limits, RequestHead& head);
  // The complete request at the front of `in`; takes the headers out of `head`. Its method, path and token are the
  // caller's to set.
  HttpRequest request(RequestHead& head) const;
  // Puts into it what is this connection's own.
  void sign(HttpRequest& request) const;
  // Takes the request at the front off `in`.
  void forget_request();

  enum class Sent { all, blocked, failed };
  // Writes as much of `out` as the socket takes at once.
  Sent send();
};

// The peer's address, IPv4 as v4-mapped.
in6_addr address_of(const sockaddr_storage& from);

}  // namespace pulse
