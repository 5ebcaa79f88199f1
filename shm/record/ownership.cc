#include "shm/record/ownership.h"

#include <algorithm>
#include <cerrno>

#include "shm/record/attempts.h"
#include "shm/segment/text.h"
#include "src/base/hash.h"
#include "src/base/host_port.h"
#include "src/config/identity.h"

namespace pulse {

namespace {

std::string endpoint(const Owner& owner) {
  if (owner.admin_port == 0) return std::string(text(owner.admin_host));
  return host_port_text(text(owner.admin_host), owner.admin_port);
}

}  // namespace

Owner make_owner(std::string_view file, uint64_t config_path, std::string_view admin_host, int64_t admin_port,
                 int64_t mysql_port) {
  Owner owner{};
  owner.config_path = config_path;
  owner.admin_port = admin_host.substr(0, 1) == "/" ? 0 : admin_port;
  owner.mysql_port = mysql_port;
  set_text(owner.admin_host, admin_host);
  set_text(owner.file, file);
  return owner;
}

Owner owner_of(const Config& config) {
  return make_owner(config.file, config_path_hash(config.file), config.admin.host, config.admin.port,
                    config.daemon.mysql_port);
}

Ownership judge_owner_by_file(const Owner& owner, uint64_t config_path) {
  if (owner.config_path == 0) return Ownership::unclaimed;
  return owner.config_path == config_path ? Ownership::ours : Ownership::another;
}

Ownership judge_owner(const Owner& owner, const Owner& self) {
  if (owner.config_path == 0) return Ownership::unclaimed;
  if (owner == self) return Ownership::ours;
  if (owner.config_path == self.config_path) return Ownership::moved;
  return endpoint(owner) == endpoint(self) ? Ownership::ours : Ownership::another;
}

int64_t abandoned_after_ns(uint32_t interval_ms) {
  constexpr int64_t kLeast = 60'000'000'000;
  return std::max(silence_ns(int64_t{interval_ms} * 1'000'000), kLeast);
}

std::string show_owner(const Owner& owner) { return endpoint(owner) + " (" + std::string(text(owner.file)) + ")"; }

std::string another_owner_text(const std::string& state_path, const Owner& owner, const Owner& self) {
  return "the state segment " + state_path + " is of ProxySQL at " + show_owner(owner) + "; that of " +
         std::string(text(self.file)) + " is at " + endpoint(self) + ": set pulse.state in one of the two files";
}

Result<void> check_owner(const Segment& segment, const std::string& state_path, const Owner& self) {
  Owner owner{};
  bool read = false;
  const bool mapped = guarded([&] { read = segment.layout().owner.read(owner); });
  if (!mapped || !read || judge_owner(owner, self) != Ownership::another) return {};
  return Error{another_owner_text(state_path, owner, self), EPROTO};
}

std::string spare_path(const std::string& state_path, const Owner& self) {
  constexpr char kDigits[] = "0123456789abcdef";
  uint64_t hash = fnv1a(endpoint(self));
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; hash >>= 4) digits[i] = kDigits[hash & 15];
  return state_path + "." + digits;
}

}  // namespace pulse
