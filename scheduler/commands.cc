#include "scheduler/commands.h"

#include <array>

#include "scheduler/beat/beat.h"
#include "scheduler/cli/completion.h"
#include "scheduler/doctor/doctor.h"
#include "scheduler/drain/drain.h"
#include "scheduler/drain/undrain.h"
#include "scheduler/dump/dump.h"
#include "scheduler/install.h"
#include "scheduler/job/guard.h"
#include "scheduler/status/check_config.h"
#include "scheduler/status/status_command.h"
#include "scheduler/status/switches.h"
#include "scheduler/users/sync_users.h"

namespace pulse {

namespace {

constexpr std::array<const Command*, 14> kCommands = {
    &kDoctorCommand, &kStatusCommand, &kCheckConfigCommand, &kBeatCommand,       &kMaintenanceCommand,
    &kResyncCommand, &kDrainCommand,  &kUndrainCommand,     &kDumpCommand,       &kSyncUsersCommand,
    &kJobCommand,    &kGuardCommand,  &kInstallCommand,     &kCompletionCommand,
};

constexpr Program kProgram = {
    .about = R"(proxysql-pulse keeps one ProxySQL of a cluster healed. ProxySQL's own scheduler
runs "proxysql-pulse beat"; the other commands are for people, hooks and
scheduler rows.
)",
    .more = R"(proxysql-pulse COMMAND --help says all about one. Something is wrong? Begin
with "proxysql-pulse doctor".
)",
    .exits = "job and guard: the command's own; 126, 127 it can't be run; 128+N it was ended by signal N.",
    .commands = kCommands,
};

}  // namespace

const Program& program() { return kProgram; }

}  // namespace pulse
