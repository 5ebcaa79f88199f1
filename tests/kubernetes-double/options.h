// The command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "src/base/result.h"

namespace kubernetes_double {

struct Options {
  std::string listen = "127.0.0.1";  // a numeric address, IPv4 or IPv6
  uint16_t port = 0;                 // 0: any free one
  std::string port_file;             // gets the port, once connections are accepted; none if empty
  std::string account;               // directory for ca.crt, token and namespace; required
  std::string service_namespace = "proxysql";
  std::string control_path;  // unix socket; none if empty
  size_t pod_bytes = 4096;   // the size that a pod's JSON is padded to
  size_t history = 1000;     // changes that a watch may be behind
  std::chrono::milliseconds bookmark_interval{60'000};
  bool expired_as_http = false;  // an expired watch: HTTP 410 instead of an ERROR event
  bool die_with_parent = false;
};

// Errors name the argument.
pulse::Result<Options> parse_options(int argc, char** argv);

}  // namespace kubernetes_double
