#include "shm/status/port_json.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "shm/status/json_object.h"
#include "shm/status/protocol_parts.h"
#include "src/config/client_ports.h"
#include "src/linux/interfaces.h"

namespace pulse {

namespace {

using Json = nlohmann::ordered_json;

Json client_port(const StatusInput& input, const std::vector<MysqlInterface>& all, const std::string& host,
                 int64_t number, const PortView& port) {
  Json interfaces = Json::array();
  for (const MysqlInterface& one : all) interfaces.push_back(show(one));
  return Json{{"interfaces", std::move(interfaces)},
              {"host", host},
              {"port", number},
              {"answers", port.answers},
              {"since_ms", age_ms(port.since_ns, input.now_ns)},
              {"looked_age_ms", age_ms(port.looked_at_ns, input.now_ns)},
              {"how", port.how},
              {"reason", port.reason}};
}

}  // namespace

Json age_ms(int64_t stamp_ns, int64_t now_ns) {
  return stamp_ns == 0 ? Json(nullptr) : Json(std::max<int64_t>(0, now_ns - stamp_ns) / 1'000'000);
}

Json backends_json(const BackendCounts& seen) {
  return json_object(
      {{"online", seen.online}, {"shunned", seen.shunned}, {"offline", seen.offline}, {"total", seen.total()}});
}

Json protocol_json(const StatusInput& input, std::string_view name) {
  for (const ProtocolPart& part : protocol_parts(input)) {
    if (part.name != name) continue;
    return json_object(
        {{"served", part.served},
         {"port_answers", part.port == nullptr || !part.port->known ? Json(nullptr) : Json(part.port->answers)},
         {"port_age_ms", part.port == nullptr ? Json(nullptr) : age_ms(part.port->looked_at_ns, input.now_ns)},
         {"clients", part.clients < 0 ? Json(nullptr) : Json(part.clients)},
         {"backends", backends_json(part.backends)}});
  }
  return nullptr;
}

Json mysql_port_json(const StatusInput& input) {
  const DaemonSettings& daemon = input.config.daemon;
  return client_port(input, daemon.mysql_interfaces, daemon.mysql_host, daemon.mysql_port, input.port);
}

Json pgsql_port_json(const StatusInput& input) {
  if (input.pgsql_port == nullptr || !input.pgsql_port->known) return nullptr;
  const DaemonSettings& daemon = input.config.daemon;
  const auto all = pgsql_ports(daemon);
  const int64_t number = daemon.pgsql_interfaces.empty() ? kDefaultPgsqlPort : daemon.pgsql_port;
  return client_port(input, all, daemon.pgsql_host, number, *input.pgsql_port);
}

}  // namespace pulse
