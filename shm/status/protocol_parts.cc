#include "shm/status/protocol_parts.h"

#include <algorithm>

namespace pulse {

std::vector<ProtocolPart> protocol_parts(const StatusInput& input) {
  const Observation& seen = input.view.observation;
  const Served& served = input.verdict.served;
  const bool looked = input.pgsql_port != nullptr && input.pgsql_port->known;
  const bool has_pgsql = served.pgsql || looked || seen.serves_pgsql != 0;
  const int64_t of_pgsql = has_pgsql ? input.pgsql_clients : 0;
  const int64_t of_mysql = input.clients < 0 || of_pgsql < 0 ? -1 : std::max<int64_t>(0, input.clients - of_pgsql);
  const BackendCounts &all = seen.backends, &pgsql = seen.pgsql_backends;
  const BackendCounts mysql{all.online - pgsql.online, all.shunned - pgsql.shunned, all.offline - pgsql.offline};
  std::vector<ProtocolPart> parts = {{"mysql", served.mysql, &input.port, of_mysql, mysql}};
  if (has_pgsql) parts.push_back({"pgsql", served.pgsql, looked ? input.pgsql_port : nullptr, of_pgsql, pgsql});
  return parts;
}

}  // namespace pulse
