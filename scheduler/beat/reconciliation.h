// One look, one plan, one run of it: what a beat does between connecting and reporting, and a dry run as far as the
// plan.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/admin/admin_session.h"
#include "scheduler/admin/proxysql_version.h"
#include "scheduler/cluster/cluster_query.h"
#include "scheduler/cluster/core_plan.h"
#include "scheduler/cluster/membership.h"
#include "scheduler/cluster/satellite_plan.h"
#include "shm/segment/layout.h"
#include "src/config/file_rows.h"
#include "src/config/settings.h"

namespace pulse {

// What the segment knows already. Of the large records a beat reads no more than is used, and a page that nobody
// touches costs nothing: a static Known is zero without being touched, any other one is to be made with {}.
struct Known {
  Observation last;
  CoreRecord core;
  Applied applied;  // with what the other cores' daemons say
  MendRecord mends;
  bool applied_is_news = false;  // some of that isn't in the segment's own yet
  Reports reports{};
  const SatelliteReports* satellites = nullptr;  // of this boot of the machine
  CoreList list{{}, "there is no state segment"};
  bool resync = false;
  // Whether what was loaded from the file is remembered. A beat that can't remember would load it again and again, over
  // what was changed since: it loads none.
  bool may_load_file = false;
  bool has_segment = false;
};

// Copies it out of a mapping; to be called within guarded(). False if a section is rewritten without pause; `known` is
// empty then.
bool read_known(const Layout& layout, uint64_t boot_id, BootTime now, std::chrono::milliseconds max_age, Known& known);

struct Acted {
  uint32_t writes = 0;
  Outcomes outcomes;
  std::optional<Error> refused;  // the first refusal; the parts of the plan that it didn't concern were run
};

class Reconciliation {
 public:
  // All by reference, `began` is when the beat itself did.
  Reconciliation(AdminSession& client, const Config& config, const Known& known, Deadline deadline, BootTime began)
      : client_(client),
        config_(config),
        known_(known),
        deadline_(deadline),
        began_(began),
        pgsql_(has_pgsql(text(known.last.version))) {}

  // Reads ProxySQL: with `look`, or as much as is due.
  Result<Seen> observe(std::optional<Look> look = std::nullopt);

  // A plan that changes something is made of a second look, which replaces `seen`: ProxySQL
  // refills runtime_proxysql_servers, and memory during a pull, without its statements' mutex, so that a look beside
  // somebody else's may find them empty. `enter` is told each phase as it begins.
  Result<Plan> plan(Seen& seen, const std::function<void(Phase)>& enter);

  // Runs the plan, logs each step. An error is the conversation's own end; a refusal isn't one, see Acted.
  Result<Acted> act(const Plan& plan);

  // Of a core, after plan(): its record, and what it knows as applied, for settle_core() and the segment.
  CoreRecord& core() { return made_->record; }
  Applied& applied() { return made_->applied; }
  MendRecord& mends() { return made_->mends; }  // for settle_mends()

 private:
  Plan plan_of(const Seen& seen);
  void read_contents();
  Result<void> run(const Step& step, Acted& acted);
  Result<void> run_statement(const Step& step, Acted& acted);
  // Of a load of variables: what of it `info`, the OK's text, says that ProxySQL didn't take, is logged and noted.
  Result<void> note_refused(const Step& step, const std::string& info, Acted& acted);
  // Whether the part's memory tables hold the file's rows: an error with code EAGAIN that says what is different.
  Result<void> compare_with_file(const Step& step);
  Result<void> compare_table(const char* name, bool variables);

  AdminSession& client_;
  const Config& config_;
  const Known& known_;
  const Deadline deadline_;
  const BootTime began_;
  bool pgsql_;                            // what ProxySQL last said of its version; corrected by what it answers
  bool reads_later_tables_ = false;       // this ProxySQL does, see FileModule
  std::unique_ptr<CorePlan> made_;        // a core's
  std::optional<FileContents> contents_;  // where the file has changed
  std::optional<Result<FileRows>> rows_;  // of the file, once they were needed
};

}  // namespace pulse
