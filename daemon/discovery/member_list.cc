#include "daemon/discovery/member_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "src/base/host_port.h"

namespace pulse {

namespace {

// Orders IPv4 before IPv6, each by its bytes. A family of 0: not an address.
struct AddressKey {
  int family = 0;
  std::array<unsigned char, 16> bytes{};

  auto operator<=>(const AddressKey&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm
};

AddressKey key_of(const std::string& address) {
  AddressKey key;
  if (::inet_pton(AF_INET, address.c_str(), key.bytes.data()) == 1) {
    key.family = AF_INET;
  } else if (::inet_pton(AF_INET6, address.c_str(), key.bytes.data()) == 1) {
    key.family = AF_INET6;
  }
  return key;
}

std::string show(const Member& member) {
  std::string shown(text(member.name));
  if (!shown.empty()) shown += ' ';
  const std::string_view address = text(member.address);
  if (member.port == 6032) return shown.append(address);
  return shown + host_port_text(address, member.port);
}

// By what a member is the same one in two lists.
auto identity(const Member& member) {
  return std::make_tuple(text(member.address), member.port, member.is_core, text(member.name));
}

}  // namespace

std::string canonical_address(const std::string& address) {
  const AddressKey key = key_of(address);
  char shown[INET6_ADDRSTRLEN] = {};
  if (key.family != 0) ::inet_ntop(key.family, key.bytes.data(), shown, sizeof shown);
  return shown;
}

std::vector<Found> in_order(std::vector<Found> found) {
  struct Keyed {
    AddressKey key;
    size_t at;
  };
  std::vector<Keyed> order;
  order.reserve(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const AddressKey key = key_of(found[i].address);
    if (key.family != 0) order.push_back({key, i});
  }
  const auto place = [&](const Keyed& keyed) { return std::tie(keyed.key, found[keyed.at].port); };
  std::stable_sort(order.begin(), order.end(), [&](const Keyed& a, const Keyed& b) {
    return std::make_tuple(place(a), !found[a.at].is_core) < std::make_tuple(place(b), !found[b.at].is_core);
  });
  order.erase(
      std::unique(order.begin(), order.end(), [&](const Keyed& a, const Keyed& b) { return place(a) == place(b); }),
      order.end());
  std::stable_sort(order.begin(), order.end(),
                   [&](const Keyed& a, const Keyed& b) { return found[a.at].is_core && !found[b.at].is_core; });
  std::vector<Found> ordered;
  ordered.reserve(order.size());
  for (const Keyed& keyed : order) {
    ordered.push_back(std::move(found[keyed.at]));
    ordered.back().address = canonical_address(ordered.back().address);
  }
  return ordered;
}

std::vector<size_t> find_self(const std::vector<Found>& members, const OwnAddresses& own) {
  const auto at = [&](const std::vector<std::string>& addresses) {
    std::vector<AddressKey> keys;
    keys.reserve(addresses.size());
    for (const std::string& address : addresses) keys.push_back(key_of(address));
    std::vector<size_t> found;
    for (size_t i = 0; i < members.size(); ++i) {
      const AddressKey key = key_of(members[i].address);
      if (key.family != 0 && members[i].port == own.admin_port &&
          std::find(keys.begin(), keys.end(), key) != keys.end()) {
        found.push_back(i);
      }
    }
    return found;
  };
  if (!own.configured.empty()) return at({own.configured});
  auto found = at({own.admin_host});
  return found.empty() ? at(own.interfaces) : found;
}

uint32_t fill(Members& list, const std::vector<Found>& members, const OwnAddresses& own) {
  list.members.fill(Member{});
  list.count = list.cores = 0;
  for (const Found& from : members) {
    if (list.count == kMembers) break;
    Member& to = list.members[list.count++];
    set_text(to.name, from.name);
    set_text(to.address, from.address);
    to.created_at = from.created_at;
    to.revision = from.revision;
    to.port = from.port;
    to.is_core = from.is_core;
    to.ready = from.ready;
    list.cores += from.is_core ? 1 : 0;
  }
  for (const size_t self : find_self(members, own)) {
    if (self < kMembers) list.members[self].is_self = 1;
  }
  return static_cast<uint32_t>(members.size() - list.count);
}

bool same_members(const Members& a, const Members& b) {
  const auto same = [](const Member& x, const Member& y) {
    return identity(x) == identity(y) && x.created_at == y.created_at && x.revision == y.revision &&
           x.is_self == y.is_self && x.ready == y.ready;
  };
  const size_t count = std::min<size_t>(a.count, kMembers);
  return a.count == b.count && a.cores == b.cores &&
         std::equal(a.members.begin(), a.members.begin() + static_cast<ptrdiff_t>(count), b.members.begin(), same);
}

std::string describe_change(const Members& before, const Members& after, size_t most) {
  const auto sorted = [](const Members& list) {
    std::vector<const Member*> pointers;
    for (size_t i = 0; i < std::min<size_t>(list.count, kMembers); ++i) pointers.push_back(&list.members[i]);
    std::sort(pointers.begin(), pointers.end(),
              [](const Member* a, const Member* b) { return identity(*a) < identity(*b); });
    return pointers;
  };
  const auto old_list = sorted(before);
  const auto new_list = sorted(after);
  std::string shown;
  size_t count = 0;
  const auto add = [&](char sign, const Member& member) {
    if (++count > most) return;
    shown += (shown.empty() ? "" : ", ") + std::string(1, sign) + show(member);
  };
  auto old_at = old_list.begin();
  auto new_at = new_list.begin();
  while (old_at != old_list.end() || new_at != new_list.end()) {
    const bool only_old =
        new_at == new_list.end() || (old_at != old_list.end() && identity(**old_at) < identity(**new_at));
    const bool only_new = !only_old && (old_at == old_list.end() || identity(**new_at) < identity(**old_at));
    if (only_old) {
      add('-', **old_at++);
    } else if (only_new) {
      add('+', **new_at++);
    } else {
      ++old_at;
      ++new_at;
    }
  }
  if (count > most) shown += " and " + std::to_string(count - most) + " more";
  return shown;
}

}  // namespace pulse
