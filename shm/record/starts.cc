#include "shm/record/starts.h"

#include <algorithm>

namespace pulse {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Nobody looked for longer: more than one ProxySQL may have come and gone.
constexpr int64_t kLooksMissing = 5 * kSecond;

using Inodes = std::array<uint32_t, kListeners>;

bool share(const Inodes& known, uint32_t count, const std::vector<uint32_t>& seen) {
  const auto end = known.begin() + std::min<uint32_t>(count, kListeners);
  return std::any_of(seen.begin(), seen.end(),
                     [&](uint32_t inode) { return std::find(known.begin(), end, inode) != end; });
}

// Those with the lowest numbers: of the same sockets the same ones are kept each time.
void keep(Inodes& known, uint32_t& count, std::vector<uint32_t> seen) {
  std::sort(seen.begin(), seen.end());
  count = static_cast<uint32_t>(std::min(seen.size(), kListeners));
  known = {};
  std::copy_n(seen.begin(), count, known.begin());
}

}  // namespace

ProxysqlStart next_start(const ProxysqlStart& last, const ListenersSeen& seen, bool paused, int64_t now_ns) {
  ProxysqlStart next = last;
  if (!seen.mysql) return next;
  const std::vector<uint32_t>& mysql = *seen.mysql;
  const std::vector<uint32_t> admin = seen.admin.value_or(std::vector<uint32_t>{});
  const bool first_look = last.looked_ns == 0;
  next.looked_ns = now_ns;
  if (mysql.empty() && admin.empty()) {
    if (first_look) next.not_before_ns = now_ns;
    const bool only_paused = paused && last.admin_count == 0;
    if (!only_paused && seen.admin) next.gone = 1;
    return next;
  }
  const bool was_seen = last.seen_ns != 0;
  const bool same =
      share(last.mysql, last.mysql_count, mysql) || (seen.admin && share(last.admin, last.admin_count, admin));
  const bool undecided = was_seen && last.admin_count != 0 && !seen.admin;
  const bool only_resumed = paused && last.admin_count == 0 && admin.empty();
  if (last.gone != 0 || (was_seen && !same && !undecided && !only_resumed)) {
    next.since_ns = now_ns;
    next.served_ns = 0;
    next.mysql_count = next.admin_count = 0;
    if (was_seen) next.not_before_ns = last.seen_ns;
    if (now_ns - last.looked_ns > kLooksMissing) next.not_before_ns = now_ns;
  }
  next.gone = 0;
  next.seen_ns = now_ns;
  if (!mysql.empty()) keep(next.mysql, next.mysql_count, mysql);
  if (!admin.empty()) keep(next.admin, next.admin_count, admin);
  return next;
}

bool is_of(const ProxysqlStart& start, int64_t at_ns, int64_t started_ns) {
  if (at_ns >= start.since_ns) return true;
  return started_ns != 0 && started_ns > start.not_before_ns + kSecond;
}

}  // namespace pulse
