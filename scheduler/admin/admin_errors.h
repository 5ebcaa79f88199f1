// What an error of the admin interface means, and which interface the configuration names.
#pragma once

#include "scheduler/admin/admin_client.h"
#include "shm/segment/layout.h"
#include "src/config/settings.h"

namespace pulse {

AdminTarget admin_target(const Config& config);

// Whether ProxySQL answered, with an error: the conversation itself goes on.
bool is_refusal(const Error& error);

// Whether nobody listens there.
bool is_unreachable(const Error& error);

// What may be behind a connection that was refused: ProxySQL runs on its database, which wins over the file, and the
// statements bring the two together. "" for any other error.
std::string contradiction_with_file(const Error& error);

// What is to be set so that a login that failed works; else what contradiction_with_file() says.
std::string login_hint(const Error& error, const Config& config);

// The exit code of a conversation that failed in `phase`.
int exit_code_of(const Error& error, Phase phase);

}  // namespace pulse
