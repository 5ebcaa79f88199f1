#include "scheduler/dump/dump.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <optional>

#include "scheduler/admin/admin_errors.h"
#include "scheduler/cli/command.h"
#include "scheduler/dump/atomic_file.h"
#include "scheduler/run/hard_timer.h"
#include "scheduler/run/limits.h"
#include "scheduler/run/state_access.h"
#include "shm/record/attempts.h"
#include "shm/segment/boot.h"
#include "shm/status/snapshot.h"
#include "src/base/exit_code.h"
#include "src/base/log.h"

namespace pulse {

namespace {

constexpr milliseconds kDefaultTimeout{60'000};  // ProxySQL takes some 20 s for a million digests
constexpr size_t kBufferBytes = 128 << 10;

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Formats a result and writes it to a descriptor.
class Output final : public RowSink {
 public:
  Output(int fd, std::string name, DumpFormat format, Deadline deadline)
      : fd_(fd), name_(std::move(name)), format_(format), deadline_(deadline) {
    buffer_.reserve(2 * kBufferBytes);
    struct stat found {};
    is_file_ = ::fstat(fd_, &found) == 0 && S_ISREG(found.st_mode);
  }

  Result<void> columns(const std::vector<std::string_view>& names) override {
    writer_.emplace(format_, host_name(), names);
    writer_->header(buffer_);
    return {};
  }

  Result<void> row(const std::vector<std::optional<std::string_view>>& cells) override {
    writer_->row(buffer_, cells);
    ++rows_;
    return buffer_.size() < kBufferBytes ? Result<void>() : flush();
  }

  Result<void> flush() {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      // Into a pipe that has room at all, so many bytes go without waiting. A file always has room.
      const size_t piece = is_file_ ? rest.size() : std::min<size_t>(rest.size(), PIPE_BUF);
      pollfd ready{fd_, POLLOUT, 0};
      const int polled = ::poll(&ready, 1, deadline_.poll_timeout_ms());
      if (polled < 0 && errno == EINTR) continue;
      if (polled == 0) return failed({"write " + name_ + ": timed out", ETIMEDOUT});
      const ssize_t written = ::write(fd_, rest.data(), piece);
      if (written < 0 && errno != EINTR && errno != EAGAIN) return failed(system_error("write " + name_, errno));
      if (written > 0) rest.remove_prefix(static_cast<size_t>(written));
    }
    buffer_.clear();
    return {};
  }

  bool began() const { return writer_.has_value(); }
  uint64_t rows() const { return rows_; }
  // Was it this side that failed, and not the conversation?
  bool failed() const { return failed_; }

 private:
  Error failed(Error error) {
    failed_ = true;
    return error;
  }

  const int fd_;
  const std::string name_;
  const DumpFormat format_;
  const Deadline deadline_;
  std::optional<DumpWriter> writer_;
  std::string buffer_;
  uint64_t rows_ = 0;
  bool is_file_ = false;
  bool failed_ = false;
};

int exit_code_of_output(const Error& error) { return error.code == ETIMEDOUT ? kExitTimeout : kExitOutput; }

class Dump {
 public:
  explicit Dump(const Options& options) : options_(options), state_(options) {}

  int run() {
    arm_hard_timer(Deadline::at_monotonic_ns(began_monotonic_ns_ + nanoseconds(timeout_).count()));
    limit_memory();
    ::signal(SIGXFSZ, SIG_IGN);  // a file that grows past the limit is then an error of write(2)
    if (!state_.load()) return fail(kExitConfig, state_.config_error());
    const Config& config = state_.loaded().config;
    auto lock = InstanceLock::try_take(config.state + ".dump", config.group);
    if (!lock) return fail(kExitConfig, lock.error().text);
    if (!lock->taken()) return fail(kExitSkipped, "another dump of this ProxySQL is running");
    if (const std::string reason = why_not_now(config); !reason.empty()) return fail(kExitSkipped, reason);

    auto client = AdminClient::connect(admin_target(config), deadline_);
    if (!client) {
      const std::string hint = login_hint(client.error(), config);
      return fail(exit_code_of(client.error(), Phase::connect),
                  client.error().text + (hint.empty() ? "" : ": " + hint));
    }
    if (options_.output == "-") return read(*client, STDOUT_FILENO, "to standard output", nullptr);
    const std::string hidden = std::string(".").append(file_name(clock_ns(CLOCK_REALTIME)));
    auto file = WholeFile::create(options_.output, hidden, config.group);
    if (!file) {
      return fail(kExitOutput, file.error().text + "; --output takes a directory that this user may write to, or -");
    }
    return read(*client, file->fd(), "in " + options_.output, &*file);
  }

 private:
  std::string file_name(int64_t realtime_ns) const {
    return dump_file_name(host_name(), options_.table.name, realtime_ns, options_.format);
  }

  std::string why_not_now(const Config& config) {
    state_.open_existing();
    if (state_.segment() == nullptr) return "";
    const BackoffPolicy policy{nanoseconds(config.beat.interval).count(), nanoseconds(config.beat.backoff_max).count()};
    const int64_t now = boottime_ns();
    return why_no_dump(read_state(*state_.segment(), machine_boot_id(), policy, now), now);
  }

  // `file` is null for standard output.
  int read(AdminClient& client, int fd, const std::string& where, WholeFile* file) {
    const int64_t asked_realtime_ns = clock_ns(CLOCK_REALTIME);
    Output output(fd, where, options_.format, deadline_);
    auto answer = client.read(options_.table.statement(), output, deadline_);
    if (!answer) {
      const int code =
          output.failed() ? exit_code_of_output(answer.error()) : exit_code_of(answer.error(), Phase::observe);
      const bool refused = !output.began() && is_refusal(answer.error());
      return fail(code, answer.error().text + (refused ? "" : loss(output)));
    }
    if (!output.began()) return fail(kExitStatement, options_.table.name + ": ProxySQL answered without a result");
    client.say_goodbye(deadline_);
    if (auto flushed = output.flush(); !flushed) {
      return fail(exit_code_of_output(flushed.error()), flushed.error().text + loss(output));
    }
    std::string path = "standard output";
    if (file != nullptr) {
      auto name = publish(*file, asked_realtime_ns);
      if (!name) return fail(kExitOutput, name.error().text + loss(output));
      path = options_.output + "/" + *name;
      std::puts(path.c_str());
    }
    log_info("dumped " + std::to_string(output.rows()) + " rows of " + options_.table.name +
             (options_.table.reset ? ", which are reset, to " : " to ") + path);
    return kExitOk;
  }

  // The name has the instant of the question; in the unlikely case that it is taken, a later one.
  Result<std::string> publish(WholeFile& file, int64_t realtime_ns) const {
    for (int tries = 0;; ++tries, realtime_ns += 1'000'000) {
      const std::string name = file_name(realtime_ns);
      auto published = file.publish(name);
      if (published) return name;
      if (published.error().code != EEXIST || tries == 100) return published.error();
    }
  }

  // What a failure after the statement was sent means for ProxySQL's counts. A hanging one runs it when it can, also
  // when nobody waits for the answer any more.
  std::string loss(const Output& output) const {
    if (!options_.table.reset) return "";
    return "; reading the table empties it: what ProxySQL counted since the last reset " +
           std::string(output.began() ? "is lost" : "may be lost") + ", after " + std::to_string(output.rows()) +
           " rows read";
  }

  static int fail(int code, const std::string& text) {
    log_error(text);
    return code;
  }

  const Options& options_;
  const milliseconds timeout_ = options_.timeout.value_or(kDefaultTimeout);
  const int64_t began_monotonic_ns_ = monotonic_ns();
  const Deadline deadline_ = io_deadline({began_monotonic_ns_}, timeout_);
  StateAccess state_;
};

}  // namespace

Result<Options> check_dump(Options options) {
  if (options.arguments.size() > 1) return Error{"dump takes one table"};
  if (options.output.empty()) return Error{"--output takes a directory, or - for standard output"};
  if (options.arguments.empty()) return options;
  auto table = parse_dump_table(options.arguments.front());
  if (!table) return table.error();
  table->reset |= options.table.reset;
  options.table = *table;
  return options;
}

std::string why_no_dump(const StateView& view, int64_t now_boot_ns) {
  if (view.draining_since_ns != 0 && view.drain.ended_ns < view.draining_since_ns) {
    return "a drain is running, and a dump would hold up what it asks ProxySQL: try again when it is over";
  }
  // Each attempt leaves a blocked thread in ProxySQL. A record without a beat is of another boot.
  const int64_t wait_ms = view.last_beat_ns == 0 ? 0 : (view.record.next_attempt_ns - now_boot_ns) / 1'000'000;
  if (wait_ms <= 0) return "";
  return "the admin interface doesn't answer, and beats back off for another " + std::to_string(wait_ms) +
         " ms: not asked for a dump either; see status";
}

int run_dump(const Options& options) { return Dump(options).run(); }

namespace {

Result<void> take_output(Options& options, const Option&, const std::string& value) {
  options.output = value;
  return {};
}

Result<void> take_format(Options& options, const Option&, const std::string& value) {
  if (value != "csv" && value != "jsonl") return Error{"--format takes csv or jsonl"};
  options.format = value == "csv" ? DumpFormat::csv : DumpFormat::jsonl;
  return {};
}

Result<void> take_reset(Options& options, const Option&, const std::string&) {
  options.table.reset = true;
  return {};
}

constexpr std::array<Option, 4> kDumpOptions = {{
    {.name = "output",
     .value = "DIR|-",
     .text = "the file's directory, or - for standard output (/tmp)\n",
     .take = take_output,
     .completes = Completes::files},
    {.name = "format",
     .value = "FORMAT",
     .text = "csv or jsonl (csv)\n",
     .take = take_format,
     .completes = Completes::words,
     .words = "csv jsonl"},
    {.name = "reset",
     .value = nullptr,
     .text = "read the table's _reset twin, which ProxySQL empties as\n"
             "it is read: counts are lost if the dump fails then\n",
     .take = take_reset},
    timeout_option(50, 3'600'000, "{} (60000)\n"),
}};

constexpr std::array<Exit, 7> kDumpExits = {{
    {"the file is there", kExitOk},
    {"a table that isn't dumped", kExitUsage},
    {"admin interface unreachable or login refused", kExitUnavailable},
    {"no such table", kExitStatement},
    {"the file can't be written", kExitOutput},
    {"another dump or a drain runs, or the admin interface hangs", kExitSkipped},
    {nullptr, kExitTimeout},
}};

}  // namespace

constinit const Command kDumpCommand = {
    .name = "dump",
    .summary = "writes the query digests, or another table, into a file",
    .usage = "[TABLE] [OPTION...]",
    .about = R"(Writes a table of ProxySQL whose name begins with stats_, by default
stats_mysql_query_digest, into a new file and prints its path; PostgreSQL's is
stats_pgsql_query_digest. The file is whole or not there. While ProxySQL builds
the answer its other admin statements wait: some 20 s for a million digests.
Traffic doesn't.
)",
    .options = kDumpOptions,
    .exits = kDumpExits,
    .takes_name = true,
    .check = check_dump,
    .run = run_dump,
};

}  // namespace pulse
