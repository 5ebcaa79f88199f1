#include "tests/kubernetes-double/api.h"

#include "tests/kubernetes-double/connection.h"
#include "tests/kubernetes-double/http.h"
#include "tests/kubernetes-double/list.h"
#include "tests/kubernetes-double/status.h"
#include "tests/kubernetes-double/watch.h"

namespace kubernetes_double {
namespace {

using End = Connection::End;

SSL_CTX* choose_certificate(Server& server) {
  const auto fault = server.faults.take(Moment::connection, RequestKind::other);
  if (!fault) return server.certificates.good.get();
  switch (fault->kind) {
    case FaultKind::wrong_certificate:
      return server.certificates.of_stranger.get();
    case FaultKind::expired_certificate:
      return server.certificates.expired.get();
    default:
      return server.certificates.of_other_name.get();
  }
}

// One request of a connection, from its arrival to its answer.
class Exchange {
 public:
  Exchange(Server& server, Connection& connection, const Request& request)
      : server_(server), connection_(connection), request_(request) {}

  // Says whether the connection goes on; if not, it has been ended.
  bool serve();

 private:
  bool answer_with(const Fault& fault);
  bool serve_list(const std::string& pod_namespace, const Selector& selector, const std::optional<Fault>& fault);
  bool send(const Answer& answer);
  bool serve_object(Answer answer, const std::optional<Fault>& fault);
  void read_path();
  bool send_cut(const Answer& answer);
  Answer answer_of(const Fault& fault) const;
  Answer refused() const;

  Server& server_;
  Connection& connection_;
  const Request& request_;
  std::string namespace_;
  std::string resource_;  // "leases", "replicasets", "controllerrevisions"
  std::string name_;      // of one of them; "": the collection
  RequestKind kind_ = RequestKind::other;
  uint64_t number_ = 0;
};

bool Exchange::send(const Answer& answer) {
  server_.journal.answered(number_, answer.status);
  if (answer.status == 401) ++server_.journal.unauthorized;
  if (!connection_.send(to_bytes(answer))) return false;
  if (request_.header("connection") != "close") return true;
  connection_.end(End::orderly);
  return false;
}

Answer Exchange::refused() const {
  if (kind_ == RequestKind::apps) {
    return forbidden(server_.account.service_namespace(), name_.empty() ? "list" : "get", resource_, namespace_);
  }
  const bool is_lease = kind_ == RequestKind::lease;
  const std::string verb = !is_lease                   ? to_text(kind_)
                           : request_.method == "POST" ? "create"
                           : request_.method == "PUT"  ? "update"
                                                       : "get";
  return forbidden(server_.account.service_namespace(), verb, is_lease ? "leases" : "pods", namespace_);
}

Answer Exchange::answer_of(const Fault& fault) const {
  switch (fault.status) {
    case 401:
      return unauthorized();
    case 403:
      return refused();
    case 410:
      return continue_expired("");
    case 429:
      return too_many_requests(fault.argument);
    case 500:
      return internal_error();
    default:
      return unavailable();
  }
}

// The faults that stand in the answer's place.
bool Exchange::answer_with(const Fault& fault) {
  Answer html;
  html.content_type = "text/html; charset=utf-8";
  html.body = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n";
  switch (fault.kind) {
    case FaultKind::hang:
      stay_silent(server_, connection_);
      return false;
    case FaultKind::reset:
      connection_.end(End::reset);
      return false;
    case FaultKind::html:
      return send(html);
    case FaultKind::empty: {
      if (kind_ == RequestKind::list) return send(empty_list(server_));
      server_.journal.answered(number_, 200);
      return connection_.send(chunked_head(Answer{}).append(kLastChunk));
    }
    default:
      return send(answer_of(fault));
  }
}

bool Exchange::serve_list(const std::string& pod_namespace, const Selector& selector,
                          const std::optional<Fault>& fault) {
  Answer answer = list_pods(server_, request_, pod_namespace, selector);
  if (answer.status == 200) ++server_.journal.pages;
  if (fault && fault->kind == FaultKind::malformed) answer.body.replace(answer.body.size() - 3, 2, "]]");
  if (fault && fault->kind == FaultKind::truncated) return send_cut(answer);
  return send(answer);
}

bool Exchange::send_cut(const Answer& answer) {
  server_.journal.answered(number_, answer.status);
  const std::string bytes = to_bytes(answer);
  connection_.send(std::string_view(bytes).substr(0, bytes.size() - answer.body.size() / 2 - kLastChunk.size()));
  connection_.end(End::cut);
  return false;
}

bool Exchange::serve_object(Answer answer, const std::optional<Fault>& fault) {
  if (fault && fault->kind == FaultKind::malformed) answer.body.replace(answer.body.size() - 3, 2, "]]");
  if (fault && fault->kind == FaultKind::truncated) return send_cut(answer);
  if (fault && fault->kind == FaultKind::lost) {
    connection_.end(End::reset);
    return false;
  }
  return send(answer);
}

void Exchange::read_path() {
  constexpr std::string_view kBefore = "/api/v1/namespaces/", kAfter = "/pods";
  const std::string& path = request_.path;
  if (path.starts_with(kBefore) && path.ends_with(kAfter) && path.size() > kBefore.size() + kAfter.size()) {
    namespace_ = path.substr(kBefore.size(), path.size() - kBefore.size() - kAfter.size());
    kind_ = request_.flag("watch") ? RequestKind::watch : RequestKind::list;
  }
  for (const auto& [before, kind] : {std::pair{"/apis/coordination.k8s.io/v1/namespaces/", RequestKind::lease},
                                     std::pair{"/apis/apps/v1/namespaces/", RequestKind::apps}}) {
    if (!path.starts_with(before)) continue;
    // NAMESPACE/RESOURCE or NAMESPACE/RESOURCE/NAME
    const std::string rest = path.substr(std::string_view(before).size());
    const size_t slash = rest.find('/');
    if (slash == rest.npos) return;
    const size_t second = rest.find('/', slash + 1);
    const std::string resource = rest.substr(slash + 1, second == rest.npos ? rest.npos : second - slash - 1);
    const std::string named = second == rest.npos ? "" : rest.substr(second + 1);
    const bool known = kind == RequestKind::lease ? resource == "leases" : TemplateObjects::is_resource(resource);
    if (!known || (second != rest.npos && named.empty())) return;
    namespace_ = rest.substr(0, slash);
    resource_ = resource;
    name_ = named;
    kind_ = kind;
  }
}

bool Exchange::serve() {
  read_path();
  number_ = server_.journal.begin(kind_, request_.target, request_.header("user-agent"));

  const auto fault = server_.faults.take(Moment::request, kind_);
  if (fault && fault->kind == FaultKind::slow) {
    connection_.send_slowly(
        [this, generation = server_.faults.generation()] { return server_.faults.generation() == generation; });
  } else if (fault && fault->kind != FaultKind::truncated && fault->kind != FaultKind::malformed &&
             fault->kind != FaultKind::lost && fault->kind != FaultKind::hang_watch_silent &&
             fault->argument != "event") {
    return answer_with(*fault);
  }

  constexpr std::string_view kScheme = "Bearer ";
  const std::string authorization = request_.header("authorization");
  if (!authorization.starts_with(kScheme) || !server_.account.accepts(authorization.substr(kScheme.size()))) {
    return send(unauthorized());
  }
  if (kind_ == RequestKind::other) return send(not_found());
  if (kind_ != RequestKind::lease && request_.method != "GET") {
    return send(status_answer(405, "MethodNotAllowed",
                              "the server does not allow this method on the requested resource", "{}"));
  }
  // As a Role lets it: the account's own namespace.
  if (namespace_ != server_.account.service_namespace()) return send(refused());
  if (kind_ == RequestKind::lease) return serve_object(server_.leases.serve(request_, namespace_, name_), fault);
  if (kind_ == RequestKind::apps) {
    return serve_object(server_.templates.serve(resource_, name_, namespace_), fault);
  }
  if (!request_.parameter("fieldSelector").empty()) return send(bad_request("the double knows no fieldSelector"));
  const auto selector = Selector::parse(request_.parameter("labelSelector"));
  if (!selector) return send(bad_request(selector.error().text));
  if (kind_ == RequestKind::list) return serve_list(namespace_, *selector, fault);
  return serve_watch(server_, connection_, request_, number_, namespace_, *selector, fault);
}

}  // namespace

void serve_connection(Server& server, pulse::UniqueFd socket) {
  const Counted counted(server.journal.connections_now);
  ++server.journal.connections_total;
  Connection connection(std::move(socket), choose_certificate(server), server.journal, server.wakeups);
  if (!connection.handshake()) {
    ++server.journal.handshakes_failed;
    return;
  }
  bool bad = false;
  while (true) {
    if (const auto request = take_request(connection.input(), bad); request && !bad) {
      if (!Exchange(server, connection, *request).serve()) return;
      continue;
    }
    if (bad) {
      connection.send(to_bytes(bad_request("malformed HTTP request")));
      connection.end(End::orderly);
      return;
    }
    if (connection.wait(std::nullopt, false) == Connection::Event::closed) return;
  }
}

}  // namespace kubernetes_double
