#include "shm/record/core_record.h"

#include <algorithm>

#include "shm/segment/text.h"

namespace pulse {

CoreRecord core_record_after_boot(const CoreRecord& before) {
  CoreRecord record{};
  record.newest_created_at = before.newest_created_at;
  record.newest_revision = before.newest_revision;
  record.revision = before.revision;
  record.file_identity = before.file_identity;
  record.modules_count = before.modules_count;
  record.modules = before.modules;
  for (CoreModule& module : record.modules) {
    module.state = static_cast<uint8_t>(FileState::none);
    module.why = {};
    module.kept = {};
    module.locked_beats = 0;
  }
  return record;
}

bool is_refused(const CoreModule& module) {
  return !text(module.refused).empty() && module.loaded == module.content &&
         static_cast<FileState>(module.state) == FileState::applied;
}

CoreModule* find_core_module(CoreRecord& record, std::string_view module) {
  for (size_t i = 0; i < std::min<size_t>(record.modules_count, kCoreModules); ++i) {
    if (text(record.modules[i].name) == module) return &record.modules[i];
  }
  return nullptr;
}

const CoreModule* find_core_module(const CoreRecord& record, std::string_view module) {
  return find_core_module(const_cast<CoreRecord&>(record), module);
}

CoreModule* core_module(CoreRecord& record, std::string_view module) {
  if (CoreModule* found = find_core_module(record, module)) return found;
  const size_t count = std::min<size_t>(record.modules_count, kCoreModules);
  if (count == kCoreModules) return nullptr;
  CoreModule& added = record.modules[count];
  added = CoreModule{};
  set_text(added.name, module);
  record.modules_count = static_cast<uint32_t>(count + 1);
  return &added;
}

}  // namespace pulse
