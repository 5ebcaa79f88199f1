#include "scheduler/postgresql/client.h"

#include <algorithm>

#include "scheduler/postgresql/scram.h"
#include "src/base/host_port.h"

namespace pulse::pgsql {

namespace {

// Of an AuthenticationRequest.
constexpr uint32_t kOk = 0, kCleartext = 3, kMd5 = 5, kSasl = 10, kSaslContinue = 11, kSaslFinal = 12;

}  // namespace

Error Client::failed(const std::string& why, int code) const { return Error{where_ + ": " + why, code}; }

Result<Client> Client::connect(const Target& target, Deadline deadline) {
  const bool is_socket = target.host.starts_with('/');
  const std::string where = is_socket ? target.host : host_port_text(target.host, target.port);
  const std::string what = "connect to the server at " + where + " as " + target.user;
  auto stream = SocketStream::connect(target.host, target.port, deadline);
  if (!stream) return Error{what + ": " + stream.error().text, stream.error().code == ETIMEDOUT ? ETIMEDOUT : 0};
  Client client(std::move(*stream), what);
  if (target.tls && !is_socket) {
    if (auto sent = client.stream_.send(ssl_request(), deadline); !sent) {
      return client.failed(sent.error().text, sent.error().code);
    }
    const auto answer = client.stream_.receive_one(deadline);
    if (!answer) return client.failed(answer.error().text, answer.error().code);
    if (*answer != 'S') return client.failed("it has no TLS; tls = \"off\" does without");
    auto started = client.stream_.start_tls(target.host, target.verify, target.ca_file, deadline);
    if (!started) return client.failed(started.error().text, started.error().code);
  }
  if (auto done = client.log_in(target, deadline); !done) return done.error();
  client.where_ = where;
  return client;
}

Result<Message> Client::next(Deadline deadline) {
  for (;;) {
    auto message = reader_.next();
    if (!message) return failed(message.error().text);
    if (*message) {
      if ((*message)->type == 'E') return failed(error_text((*message)->body));
      const bool is_news = (*message)->type == 'N' || (*message)->type == 'S' || (*message)->type == 'A';
      if (is_news) continue;  // notices and settings
      return **message;
    }
    const auto bytes = stream_.receive(deadline);
    if (!bytes) return failed(bytes.error().text, bytes.error().code == ETIMEDOUT ? ETIMEDOUT : 0);
    reader_.add(*bytes);
  }
}

Result<void> Client::log_in(const Target& target, Deadline deadline) {
  if (auto sent = stream_.send(startup(target.user, target.database), deadline); !sent) {
    return failed(sent.error().text, sent.error().code);
  }
  bool authenticated = false;
  for (;;) {
    const auto message = next(deadline);
    if (!message) return message.error();
    switch (message->type) {
      case 'R': {
        if (Fields(message->body).int32() == kOk && message->body.size() == 4) {
          authenticated = true;
          break;
        }
        const std::string body(message->body);
        if (auto done = authenticate(body, target, deadline); !done) return done;
        authenticated = true;
        break;
      }
      case 'K':
        break;  // for cancelling, which is never done
      case 'v':
        return failed("it wants another version of the protocol");
      case 'Z':
        return authenticated ? Result<void>() : failed("it is ready without having asked who we are");
      default:
        return failed("not what a login gets");
    }
  }
}

// Returns when the server has let us in.
Result<void> Client::authenticate(std::string_view body, const Target& target, Deadline deadline) {
  Fields fields(body);
  const uint32_t kind = fields.int32();
  if (kind == kSasl) return authenticate_by_scram(fields.rest(), target, deadline);
  std::string answer;
  if (kind == kCleartext) {
    if (!stream_.is_tls() && !target.host.starts_with('/')) {
      return failed("it wants the password in clear text, on a connection without TLS");
    }
    answer = target.password;
  } else if (kind == kMd5) {
    const std::string_view salt = fields.bytes(4);
    answer = salt.size() == 4 ? md5_answer(target.user, target.password, salt) : "";
    if (answer.empty()) return failed("md5 authentication isn't to be had");
  } else {
    return failed("it wants an authentication of kind " + std::to_string(kind) +
                  "; this program has scram-sha-256, md5 and password");
  }
  if (auto sent = stream_.send(password(answer), deadline); !sent) {
    return failed(sent.error().text, sent.error().code);
  }
  const auto done = next_authentication(kOk, deadline);
  return done ? Result<void>() : done.error();
}

Result<std::string> Client::next_authentication(uint32_t kind, Deadline deadline) {
  const auto message = next(deadline);
  if (!message) return message.error();
  Fields fields(message->body);
  if (message->type != 'R' || fields.int32() != kind || fields.failed()) return failed("not what a login gets");
  return std::string(fields.rest());
}

Result<void> Client::authenticate_by_scram(std::string_view mechanisms, const Target& target, Deadline deadline) {
  const auto offered = sasl_mechanisms(mechanisms);
  if (std::find(offered.begin(), offered.end(), kScramSha256) == offered.end()) {
    return failed("it offers no SCRAM-SHA-256");
  }
  const std::string nonce = random_nonce();
  if (nonce.empty()) return failed("the system has no random numbers");
  Scram scram(target.password, nonce);
  const auto send = [&](const std::string& text) -> Result<void> {
    const auto sent = stream_.send(text, deadline);
    return sent ? Result<void>() : failed(sent.error().text, sent.error().code);
  };
  if (auto sent = send(sasl_initial(kScramSha256, scram.first())); !sent) return sent;
  const auto first = next_authentication(kSaslContinue, deadline);
  if (!first) return first.error();
  const auto answer = scram.answer(*first);
  if (!answer) return failed(answer.error().text);
  if (auto sent = send(sasl_response(*answer)); !sent) return sent;
  const auto last = next_authentication(kSaslFinal, deadline);
  if (!last) return last.error();
  if (!scram.proves(*last)) return failed("it doesn't have the password's verifier: another server than it says");
  const auto done = next_authentication(kOk, deadline);
  return done ? Result<void>() : done.error();
}

Result<void> Client::read(const std::string& statement, RowSink& sink, Deadline deadline) {
  if (auto sent = stream_.send(query(statement), deadline); !sent) {
    return failed(sent.error().text, sent.error().code);
  }
  bool described = false, complete = false;
  size_t columns = 0;
  for (;;) {
    const auto message = next(deadline);
    if (!message) return message.error();
    switch (message->type) {
      case 'T': {
        const auto names = row_description(message->body);
        if (!names || described) return failed("not a description of rows");
        described = true;
        columns = names->size();
        if (auto taken = sink.columns(*names); !taken) return taken;
        break;
      }
      case 'D': {
        const auto cells = data_row(message->body);
        if (!cells || !described || cells->size() != columns) return failed("not a row of what was asked for");
        if (auto taken = sink.row(*cells); !taken) return taken;
        break;
      }
      case 'C':
        complete = true;
        break;
      case 'Z':
        return described && complete ? Result<void>() : failed("an answer without a result");
      default:
        return failed("not an answer to a query");
    }
  }
}

void Client::say_goodbye() { stream_.send_at_once(terminate()); }

}  // namespace pulse::pgsql
