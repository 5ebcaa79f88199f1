#include "tests/kubernetes-double/control.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "tests/control_socket.h"

namespace kubernetes_double {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

json failure(const std::string& text) { return {{"ok", false}, {"error", text}}; }
json success() { return {{"ok", true}}; }

json outcome(const pulse::Result<void>& result) { return result ? success() : failure(result.error().text); }

std::optional<int64_t> parse_number(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Words split_list(const std::string& text) {
  Words items;
  std::istringstream pieces(text);
  for (std::string item; std::getline(pieces, item, ',');) items.push_back(item);
  return items;
}

// Changes the pod as the setting says; the error otherwise.
pulse::Result<void> apply(const std::string& name, const std::string& value, Pod& pod) {
  if (name == "ip") {
    pod.addresses = split_list(value);
  } else if (name == "phase") {
    pod.phase = value;
  } else if (name == "ready") {
    pod.ready = value == "1";
  } else if (name == "uid") {
    pod.uid = value;
  } else if (name == "created") {
    const auto number = parse_number(value);
    const auto created = number ? number : parse_rfc3339(value);
    if (!created) return pulse::Error{"created: " + value, 0};
    pod.created = *created;
  } else if (name == "deleting") {
    pod.deleted_at.reset();
    if (value == "1") pod.deleted_at = std::time(nullptr) + kGracePeriod;
  } else if (name == "labels") {
    pod.labels.clear();
    for (const std::string& label : split_list(value)) {
      const size_t colon = label.find(':');
      pod.labels[label.substr(0, colon)] = colon == std::string::npos ? "" : label.substr(colon + 1);
    }
  } else if (name == "owner") {
    const size_t slash = value.find('/');
    if (slash == std::string::npos && !value.empty()) return pulse::Error{"owner: KIND/NAME, not " + value, 0};
    pod.owner = value;
  } else if (name != "namespace") {
    return pulse::Error{"unknown setting " + name, 0};
  }
  return {};
}

std::string namespace_of(const Server& server, const Settings& settings) {
  const auto found = settings.find("namespace");
  return found == settings.end() ? server.account.service_namespace() : found->second;
}

json change_pod(Server& server, const Words& words) {
  if (words.size() < 2) return failure("pod NAME key=value...");
  const bool are_settings = std::all_of(words.begin() + 2, words.end(),
                                        [](const std::string& w) { return w.find('=') != std::string::npos; });
  if (!are_settings) return failure("pod NAME key=value...");
  const Settings settings = pulse::test::command_settings(words, 2);
  Pod trial;  // so that a command with an error changes nothing
  for (const auto& [name, value] : settings) {
    if (const auto applied = apply(name, value, trial); !applied) return failure(applied.error().text);
  }
  server.store.put(namespace_of(server, settings), words[1], [&](Pod& pod) {
    for (const auto& [name, value] : settings) (void)apply(name, value, pod);
  });
  return success();
}

// Many pods for benchmarks: PREFIX-0 to PREFIX-(COUNT-1), each with an address of its own.
json create_pods(Server& server, const Words& words) {
  const auto count = words.size() < 3 ? std::nullopt : parse_number(words[2]);
  if (!count || *count < 0 || *count > 50'000) return failure("pods PREFIX COUNT key=value..., COUNT up to 50000");
  for (int64_t i = 0; i < *count; ++i) {
    Words one = {
        "pod", words[1] + "-" + std::to_string(i),
        "ip=10." + std::to_string(i / 62500) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250 + 1)};
    one.insert(one.end(), words.begin() + 3, words.end());
    if (const json answer = change_pod(server, one); !answer["ok"]) return answer;
  }
  return success();
}

json delete_pod(Server& server, const Words& words) {
  if (words.size() < 2) return failure("delete NAME [namespace=NAME]");
  const std::string pod_namespace = namespace_of(server, pulse::test::command_settings(words, 2));
  return server.store.remove(pod_namespace, words[1]) ? success() : failure("no pod " + words[1]);
}

json rotate_token(Server& server, const Words& words) {
  const auto grace = words.size() < 2 ? 0 : parse_number(words[1]);
  if (!grace || *grace < 0) return failure("rotate-token [GRACE_MS]");
  return outcome(server.account.rotate(std::chrono::milliseconds(*grace)));
}

json plant_fault(Server& server, const Words& words) {
  const std::string usage = "fault KIND [for=list|watch|lease|apps|any] [times=N] [ARGUMENT]";
  if (words.size() < 2) return failure(usage);
  if (words[1] == "noaccept") return outcome(server.listener.set(Listener::State::not_accepting));
  if (words[1] == "refuse") return outcome(server.listener.set(Listener::State::closed));
  auto fault = parse_fault(words[1]);
  if (!fault) return failure("unknown kind " + words[1]);
  for (const auto& [name, value] : pulse::test::command_settings(words, 2)) {
    if (name == "for") {
      if (value != "list" && value != "watch" && value != "lease" && value != "apps" && value != "any") {
        return failure(usage);
      }
      if (value == "list") fault->hit = RequestKind::list;
      if (value == "watch") fault->hit = RequestKind::watch;
      if (value == "lease") fault->hit = RequestKind::lease;
      if (value == "apps") fault->hit = RequestKind::apps;
    } else if (name == "times") {
      const auto times = parse_number(value);
      if (!times || *times < 1 || *times > 1'000'000) return failure("times from 1 to 1000000");
      fault->times = static_cast<int>(*times);
    } else if (value.empty() && (fault->status == 429 || (fault->status == 410 && name == "event"))) {
      fault->argument = name;
    } else {
      return failure("unknown setting " + name);
    }
  }
  server.faults.plant(*fault);
  server.wakeups.wake_all();
  return success();
}

json clear(Server& server) {
  server.faults.clear();
  server.wakeups.wake_all();
  return outcome(server.listener.set(Listener::State::open));
}

json stats(const Server& server) {
  const Journal& journal = server.journal;
  auto by_kind = journal.by_kind();
  json answer = success();
  answer["pid"] = ::getpid();
  answer["ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  answer["port"] = server.listener.port();
  answer["pods"] = server.store.size();
  answer["resource_version"] = std::to_string(server.store.resource_version());
  answer["list"] = by_kind[RequestKind::list];
  answer["watch"] = by_kind[RequestKind::watch];
  answer["lease"] = by_kind[RequestKind::lease];
  answer["apps"] = by_kind[RequestKind::apps];
  answer["other"] = by_kind[RequestKind::other];
  answer["pages"] = journal.pages.load();
  answer["events"] = journal.events.load();
  answer["bytes_in"] = journal.bytes_in.load();
  answer["bytes_out"] = journal.bytes_out.load();
  answer["connections_total"] = journal.connections_total.load();
  answer["connections_now"] = journal.connections_now.load();
  answer["handshakes_failed"] = journal.handshakes_failed.load();
  answer["watches_open"] = journal.watches_open.load();
  answer["unauthorized"] = journal.unauthorized.load();
  answer["user_agent"] = journal.last_user_agent();
  answer["last_request"] = journal.last_number();
  return answer;
}

json requests(const Server& server, const Words& words) {
  const auto since = words.size() < 2 ? 0 : parse_number(words[1]);
  if (!since || *since < 0) return failure("requests [NUMBER]");
  json answer = success();
  answer["requests"] = json::array();
  for (const JournalEntry& entry : server.journal.since(static_cast<uint64_t>(*since))) {
    answer["requests"].push_back({{"number", entry.number},
                                  {"ms", entry.unix_ms},
                                  {"kind", to_text(entry.kind)},
                                  {"target", entry.target},
                                  {"user_agent", entry.user_agent},
                                  {"status", entry.status}});
  }
  return answer;
}

// The object of a Lease; null if there is none.
json lease(const Server& server, const Words& words) {
  if (words.size() != 2) return failure("lease NAME");
  const std::string found = server.leases.find(words[1]);
  json answer = success();
  answer["lease"] = found.empty() ? json() : json::parse(found);
  return answer;
}

// A ReplicaSet of a Deployment, or a ControllerRevision of a StatefulSet.
json change_template(Server& server, const Words& words) {
  const std::string usage = words[0] + " NAME revision=N [workload=NAME]";
  if (words.size() < 2) return failure(usage);
  int64_t revision = 0;
  std::string workload;
  for (const auto& [name, value] : pulse::test::command_settings(words, 2)) {
    const auto number = parse_number(value);
    if (name == "workload") {
      workload = value;
    } else if (name == "revision" && number) {
      revision = *number;
    } else {
      return failure(usage);
    }
  }
  server.templates.put(words[0] + "s", words[1], revision, workload);
  return success();
}

json delete_template(Server& server, const std::string& resource, const Words& words) {
  if (words.size() != 2) return failure(words[0] + " NAME");
  return server.templates.remove(resource, words[1]) ? success() : failure("no " + resource + " " + words[1]);
}

json run(Server& server, const Words& words) {
  const std::string name = words.empty() ? "" : words[0];
  if (name == "pod") return change_pod(server, words);
  if (name == "pods") return create_pods(server, words);
  if (name == "delete") return delete_pod(server, words);
  if (name == "rotate-token") return rotate_token(server, words);
  if (name == "fault") return plant_fault(server, words);
  if (name == "clear") return clear(server);
  if (name == "stats") return stats(server);
  if (name == "lease") return lease(server, words);
  if (name == "delete-lease") {
    if (words.size() != 2) return failure("delete-lease NAME");
    return server.leases.remove(words[1]) ? success() : failure("no lease " + words[1]);
  }
  if (name == "replicaset" || name == "controllerrevision") return change_template(server, words);
  if (name == "delete-replicaset") return delete_template(server, "replicasets", words);
  if (name == "delete-controllerrevision") return delete_template(server, "controllerrevisions", words);
  if (name == "requests") return requests(server, words);
  if (name == "clear-pods") {
    server.store.clear();
  } else if (name == "compact") {
    server.store.compact();
  } else if (name == "bookmark") {
    ++server.bookmarks;
    server.wakeups.wake_all();
  } else if (name == "reset-stats") {
    server.journal.reset();
  } else {
    return failure("unknown command " + name);
  }
  return success();
}

}  // namespace

std::string run_control_command(Server& server, const std::string& line) {
  return run(server, pulse::test::split_command(line)).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace kubernetes_double
