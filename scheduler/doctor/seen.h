// All that doctor has seen, as plain structs: what the looking fills in and the findings are made of.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/cluster/cluster_rows.h"
#include "scheduler/doctor/module_places.h"

namespace pulse {

// A row of ProxySQL's scheduler in one of its places.
struct ScheduledRow {
  std::string place;  // "runtime", "memory", "disk"
  std::string id;
  bool active = false;
  int64_t interval_ms = 0;
  std::string filename;
  std::vector<std::string> arguments = {};

  bool runs_beat() const;
  bool operator==(const ScheduledRow&) const = default;
};

// What ProxySQL's process shows without being asked.
struct ProcessSeen {
  bool found = false;
  pid_t pid = 0;
  uint32_t threads = 0;
  uint32_t busy_threads = 0;  // that used a processor all the time while they were watched
  bool idle_threads = false;  // started with --idle-threads
};

// A connection to the admin interface, by the kernel's socket table.
struct AdminConnection {
  std::string from;     // "10.0.0.3:41234"
  std::string program;  // "mysql (pid 123)"; "" if it isn't on this host, or may not be looked into
};

// What became of doctor's one connection to the admin interface.
struct AdminSeen {
  enum class Login { not_tried, works, refused, unreachable, silent };
  enum class Answers { not_asked, yes, failed, never };
  Login login = Login::not_tried;
  Answers answers = Answers::not_asked;
  std::string why;   // not asked, or the error
  std::string hint;  // what may be behind a login that has failed, and what to do
  // Of the answers:
  std::optional<Seen> cluster = std::nullopt;
  std::vector<ScheduledRow> scheduler = {};
  std::map<std::string, std::string> variables = {};  // of runtime
  std::vector<ModulePlaces> modules = {};
  std::string unread = {};  // which answers are missing because the time was over; "" if none are
};

// Another node of proxysql_servers, as seen from here.
struct PeerSeen {
  std::string host;
  uint16_t port = 0;
  AdminSeen::Login login = AdminSeen::Login::not_tried;  // with cluster_username, without any statement
  std::string why = {};                                  // it failed
  std::string proxysql_version = {};                     // by its own daemon; "": not known
};

// This node's daemon.
struct DaemonSeen {
  bool asked = false;
  bool answers = false;
  std::string where = {};  // HOST:PORT
  std::string why = {};
  std::string version = {};
  std::string state_path = {};
  std::string file = {};
};

}  // namespace pulse
