// The JSON of ports for clients and of what belongs to one protocol: parts of status_json.h's.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "shm/status/status_json.h"

namespace pulse {

// Null for "never".
nlohmann::ordered_json age_ms(int64_t stamp_ns, int64_t now_ns);

nlohmann::ordered_json backends_json(const BackendCounts& seen);

// Of clients and backends the part of "mysql" or "pgsql"; null where there is none.
nlohmann::ordered_json protocol_json(const StatusInput& input, std::string_view name);

nlohmann::ordered_json mysql_port_json(const StatusInput& input);
// Null where nobody looks at it.
nlohmann::ordered_json pgsql_port_json(const StatusInput& input);

}  // namespace pulse
