// What a core's beats remember, from one boot to the next. Pure.
#pragma once

#include <string_view>

#include "shm/segment/layout_proxysql.h"

namespace pulse {

// The record for another boot of ProxySQL, or of the machine: the newest core that was seen, the file's contents, what
// was loaded of them and what was served stay; standing, stamps and what was being done are of the boot that is over.
CoreRecord core_record_after_boot(const CoreRecord& before);

// Whether ProxySQL has said that it didn't take all of what the file, as it is now, gives to the module.
bool is_refused(const CoreModule& module);

// The module's entry, or null.
CoreModule* find_core_module(CoreRecord& record, std::string_view module);
const CoreModule* find_core_module(const CoreRecord& record, std::string_view module);

// The same; a new entry if there is none. Null if there is no room.
CoreModule* core_module(CoreRecord& record, std::string_view module);

}  // namespace pulse
