#include "scheduler/admin/proxysql_version.h"

#include <charconv>

namespace pulse {

std::optional<ProxysqlVersion> parse_proxysql_version(std::string_view text) {
  ProxysqlVersion version;
  for (int* part : {&version.major, &version.minor, &version.patch}) {
    if (part != &version.major) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *part);
    if (error != std::errc{} || *part < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
  return version;
}

bool has_pgsql(std::string_view version) {
  const auto parsed = parse_proxysql_version(version);
  return parsed && *parsed >= ProxysqlVersion{3, 0, 0};
}

bool syncs_pgsql(std::string_view version) {
  const auto parsed = parse_proxysql_version(version);
  return parsed && *parsed >= ProxysqlVersion{3, 0, 7};
}

bool reads_later_tables(std::string_view version) {
  const auto parsed = parse_proxysql_version(version);
  return parsed && *parsed >= ProxysqlVersion{3, 0, 10};
}

bool resume_may_stall(std::string_view version) {
  const auto parsed = parse_proxysql_version(version);
  return parsed && *parsed < ProxysqlVersion{2, 7, 2};
}

}  // namespace pulse
