#include "scheduler/beat/core_log.h"

#include <algorithm>
#include <string>

#include "shm/record/core_record.h"
#include "src/base/host_port.h"
#include "src/base/log.h"

namespace pulse {

namespace {

void log_standing(const CoreRecord& before, const CoreRecord& now) {
  if (now.standing == before.standing && now.proxysql_started_ns == before.proxysql_started_ns) return;
  const std::string reason(text(now.reason));
  if (now.standing == static_cast<uint8_t>(Standing::authority)) {
    log_info("this core's configuration file is the authority: " + reason);
  } else if (now.standing == static_cast<uint8_t>(Standing::aside)) {
    log_info("this core's configuration file is not the authority: " + reason);
  }
}

void log_module(const CoreModule* before, const CoreModule& now) {
  const std::string name(text(now.name));
  const bool waits = now.state == static_cast<uint8_t>(FileState::waiting);
  const bool waited = before != nullptr && before->state == now.state;
  if (waits && !waited) log_info(name + " isn't loaded from the file yet: " + std::string(text(now.why)));
  const bool other = now.state == static_cast<uint8_t>(FileState::other_counts);
  const bool differs = now.content != now.loaded;
  if (other && differs && !waited) {
    log_info(name + " isn't loaded from this core's file: " + std::string(text(now.why)));
  }
  const bool adopted = now.state == static_cast<uint8_t>(FileState::applied) && !text(now.why).empty();
  if (adopted) log_info(name + " isn't loaded from the file: " + std::string(text(now.why)));
  const std::string kept(text(now.kept));
  const std::string kept_before(before == nullptr ? "" : text(before->kept));
  if (!kept.empty() && kept != kept_before) log_warning(kept);
}

}  // namespace

void log_core(const CoreRecord& before, const CoreRecord& now) {
  log_standing(before, now);
  for (size_t i = 0; i < std::min<size_t>(now.modules_count, kCoreModules); ++i) {
    log_module(find_core_module(before, text(now.modules[i].name)), now.modules[i]);
  }
}

void log_mends(const MendRecord& before, const MendRecord& now) {
  for (size_t i = 0; i < std::min<size_t>(now.count, kMends); ++i) {
    const Mend& mend = now.mends[i];
    const auto end = before.mends.begin() + std::min<size_t>(before.count, kMends);
    const auto known = std::find_if(before.mends.begin(), end, [&](const Mend& each) {
      return each.address == mend.address && each.port == mend.port && each.module == mend.module;
    });
    // Of the first look it is said what stands after a minute, if anything does.
    if (mend.why.front() == '\0' || known == end || known->why == mend.why) continue;
    log_warning("satellite " + host_port_text(text(mend.address), mend.port) + " has another " +
                std::string(text(mend.module)) + " than the cores and pulls no more; nothing is " +
                "loaded for it: " + std::string(text(mend.why)));
  }
}

}  // namespace pulse
