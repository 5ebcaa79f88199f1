// What every one-shot that talks to ProxySQL needs around the admin client.
#pragma once

#include <chrono>

#include "scheduler/admin/admin_client.h"
#include "shm/segment/layout.h"
#include "src/config/settings.h"

namespace pulse {

AdminTarget admin_target(const Config& config);

// The instant at which waits end: a little before the hard timer, so that there is time to publish and to log.
Deadline io_deadline(int64_t began_monotonic_ns, std::chrono::milliseconds timeout);

// Whether ProxySQL answered, with an error: the conversation itself goes on.
bool is_refusal(const Error& error);

// Whether nobody listens there.
bool is_unreachable(const Error& error);

// The exit code of a conversation that failed in `phase`.
int exit_code_of(const Error& error, Phase phase);

// Caps this process's memory at 64 MiB: a peer that never stops sending fills no more than that.
void limit_memory();

}  // namespace pulse
