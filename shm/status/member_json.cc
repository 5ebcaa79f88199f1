#include "shm/status/member_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shm/segment/names.h"
#include "shm/status/port_json.h"
#include "src/base/clock.h"
#include "src/base/rfc3339.h"

namespace pulse {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string json_text(std::string_view from) { return dump(Json(from)); }

}  // namespace

// Written by hand: there may be a thousand, and the thread that does it answers the probes too.
std::string members_json(const StatusInput& input) {
  std::string out = "[";
  if (!input.view.members) return out + "]";
  const Members& list = *input.view.members;
  const int64_t now_s = clock_ns(CLOCK_REALTIME) / 1'000'000'000;
  const auto yes = [](bool is) { return is ? "true" : "false"; };
  for (uint32_t i = 0; i < std::min<uint32_t>(list.count, kMembers); ++i) {
    const Member& member = list.members[i];
    const Peer* const peer = find_peer(input.view.observation, member);
    const bool dated = member.created_at != 0;
    const std::string created_at = dated ? rfc3339(member.created_at) : "";
    out += i == 0 ? "\n    " : ",\n    ";
    out.append("{\"name\": ").append(json_text(text(member.name)));
    out.append(", \"address\": ").append(json_text(text(member.address)));
    out.append(", \"port\": ").append(std::to_string(member.port));
    out.append(", \"role\": ").append(member.is_core != 0 ? "\"core\"" : "\"satellite\"");
    out.append(", \"ready\": ").append(yes(member.ready != 0));
    out.append(", \"self\": ").append(yes(member.is_self != 0));
    out.append(", \"created_at\": ").append(created_at.empty() ? "null" : json_text(created_at));
    out.append(", \"age_s\": ")
        .append(dated ? std::to_string(std::max<int64_t>(0, now_s - member.created_at)) : "null");
    out.append(", \"in_proxysql_servers\": ").append(yes(peer != nullptr));
    out.append(", \"last_seen_by_proxysql\": ")
        .append(peer == nullptr || peer->updated_at == 0 ? "null" : std::to_string(peer->updated_at))
        .append("}");
  }
  return out + (list.count == 0 ? "]" : "\n  ]");
}

std::string satellites_json(const StatusInput& input) {
  if (!input.view.satellites) return "null";
  const SatelliteReports& reports = *input.view.satellites;
  Json list = Json::array();
  for (uint32_t i = 0; i < std::min<uint32_t>(reports.count, kStuckModules); ++i) {
    const StuckModule& stuck = reports.modules[i];
    const Mend* const mend = find_mend(input.view, stuck);
    list.push_back({{"name", text(stuck.name)},
                    {"address", text(stuck.address)},
                    {"port", stuck.port},
                    {"module", text(stuck.module)},
                    {"checksum", text(stuck.checksum)},
                    {"peers_checksum", text(stuck.peers_checksum)},
                    {"origin", name(static_cast<ModuleOrigin>(stuck.origin))},
                    {"stuck_for_ms", age_ms(stuck.since_ns, input.now_ns)},
                    {"seen_age_ms", age_ms(stuck.seen_ns, input.now_ns)},
                    {"loads", mend == nullptr ? 0U : mend->loads},
                    {"loaded_age_ms", mend == nullptr ? Json(nullptr) : age_ms(mend->loaded_ns, input.now_ns)},
                    {"why_not_mended", mend == nullptr ? "" : text(mend->why)}});
  }
  return dump(Json{{"mend", name(input.config.satellite.mend)},
                   {"asked_age_ms", age_ms(reports.asked_ns, input.now_ns)},
                   {"known", reports.satellites},
                   {"answered", reports.answered},
                   {"older", reports.older},
                   {"error", text(reports.error)},
                   {"left_out", reports.left_out},
                   {"stuck", list}});
}

}  // namespace pulse
