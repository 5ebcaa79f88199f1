// What a drain says. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "scheduler/drain/drain_plan.h"
#include "shm/record/drain_estimate.h"
#include "shm/segment/layout.h"
#include "src/base/clock.h"

namespace pulse {

// "3 clients", "1 client"; -1: an unknown number of them.
std::string clients_text(int64_t clients);

// What the drain is up to, when it counts the clients for the first time.
std::string first_count_text(int64_t clients, const DrainPolicy& policy);

// At its start, of `idle` clients in idle threads whom the deadline can't hold.
std::string will_cut_text(int64_t idle, const DrainEstimate& found);

// A protocol's wait_timeout isn't what the drain has set.
std::string lowered_again_text(const char* protocol, int64_t wait_timeout_ms);

// How it ended. `error` is the admin interface's last one, "" if there was none.
std::string stopped_text(const std::string& how, int64_t left);
std::string runs_on_text(const std::string& error, bool process_seen, int64_t left);
std::string drained_text(bool paused, int64_t left);
std::string still_here_text(const std::string& error, int64_t left);

// What has to be said about every drain: how long it took, if it `succeeded`, and what was unusual. `edits` are names
// of variables that had been set and not loaded.
std::string circumstances_text(const DrainRecord& record, bool succeeded, nanoseconds took, const std::string& error,
                               const std::string& edits);

}  // namespace pulse
