#include "scheduler/doctor/peer_look.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "scheduler/admin/admin_client.h"
#include "scheduler/admin/admin_errors.h"
#include "scheduler/doctor/surroundings.h"
#include "scheduler/run/limits.h"
#include "src/base/host_port.h"
#include "src/base/http_round.h"

namespace pulse {

namespace {

constexpr milliseconds kEachLogin{700};
constexpr milliseconds kEachLookup{300};

class Peers {
 public:
  Peers(const NodeStatus& node, const AdminSeen& admin, Deadline deadline)
      : node_(node), admin_(admin), deadline_(deadline), own_(own_addresses()) {
    own_.push_back(node.config.admin.host);
    if (!node.config.address.empty()) own_.push_back(node.config.address);
    if (node.view.members) {
      const Members& members = *node.view.members;
      for (uint32_t i = 0; i < std::min<uint32_t>(members.count, kMembers); ++i) {
        if (members.members[i].is_self != 0) own_.emplace_back(text(members.members[i].address));
      }
    }
  }

  std::vector<PeerSeen> look() {
    for (const ServerRow& row : admin_.cluster->servers) {
      const auto found = resolve_within(row.hostname, sooner(kEachLookup, deadline_));
      const std::string address = found && !found->empty() ? found->front() : "";
      if (is_own(row, address)) continue;
      peers_.push_back({row.hostname, row.port});
      addresses_.push_back(address);
      if (!found) peers_.back().why = found.error().text;
    }
    ask_daemons();
    log_in();
    return std::move(peers_);
  }

 private:
  bool is_own(const ServerRow& row, const std::string& address) const {
    return row.port == node_.config.admin.port && std::find(own_.begin(), own_.end(), address) != own_.end();
  }

  bool is_reached(const PeerSeen& peer) const {
    const auto row =
        std::find_if(admin_.cluster->servers.begin(), admin_.cluster->servers.end(),
                     [&](const ServerRow& one) { return one.hostname == peer.host && one.port == peer.port; });
    const int64_t age_s = admin_.cluster->now_s - row->updated_at;
    return row->updated_at > 0 && age_s * 1000 <= node_.config.satellite.peer_timeout.count() + 1000;
  }

  void ask_daemons() {
    if (node_.config.daemon.port == 0) return;
    std::vector<PeerAddress> ask;
    std::vector<size_t> of;
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (addresses_[i].empty() || is_reached(peers_[i])) continue;
      ask.push_back({addresses_[i], static_cast<uint16_t>(node_.config.daemon.port)});
      of.push_back(i);
    }
    if (ask.empty()) return;
    RoundLimits limits;
    limits.at_once = 64;
    limits.within =
        std::clamp(std::chrono::duration_cast<milliseconds>(deadline_.left() / 3), milliseconds(1), milliseconds(1000));
    const auto answers = ask_all(ask, "/status", limits, -1);
    for (size_t i = 0; i < answers.size(); ++i) {
      if (!answers[i]) continue;
      const auto json = nlohmann::json::parse(*answers[i], nullptr, false);
      if (!json.is_object() || !json.contains("proxysql") || !json["proxysql"].is_object()) continue;
      const auto version = json["proxysql"].find("version");
      if (version != json["proxysql"].end() && version->is_string()) {
        peers_[of[i]].proxysql_version = version->get<std::string>();
      }
    }
  }

  void log_in() {
    const auto variable = [this](const char* name) {
      const auto found = admin_.variables.find(name);
      return found == admin_.variables.end() ? "" : found->second;
    };
    const std::string user = variable("admin-cluster_username");
    const std::string password = variable("admin-cluster_password");
    if (user.empty()) return;
    size_t logins = 0;
    for (size_t i = 0; i < peers_.size(); ++i) {
      PeerSeen& peer = peers_[i];
      if (is_reached(peer)) continue;
      if (addresses_[i].empty()) {
        peer.login = AdminSeen::Login::unreachable;
        continue;
      }
      if (++logins > kMostLogins || deadline_.passed()) return;
      const Deadline until = sooner(kEachLogin, deadline_);
      auto client = AdminClient::connect({addresses_[i], peer.port, user, password, false}, until);
      peer.login = client ? AdminSeen::Login::works : login_of(client.error());
      if (client) {
        client->close(until);
      } else {
        peer.why = client.error().text;
      }
    }
  }

  const NodeStatus& node_;
  const AdminSeen& admin_;
  const Deadline deadline_;
  std::vector<std::string> own_;
  std::vector<PeerSeen> peers_;
  std::vector<std::string> addresses_;  // of the peers, numeric; "": the name leads nowhere
};

}  // namespace

std::vector<PeerSeen> look_at_peers(const NodeStatus& node, const AdminSeen& admin, Deadline deadline) {
  if (!admin.cluster) return {};
  return Peers(node, admin, deadline).look();
}

AdminSeen::Login login_of(const Error& error) {
  if (error.code == ETIMEDOUT) return AdminSeen::Login::silent;
  return is_refusal(error) ? AdminSeen::Login::refused : AdminSeen::Login::unreachable;
}

}  // namespace pulse
