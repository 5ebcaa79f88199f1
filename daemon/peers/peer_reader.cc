#include "daemon/peers/peer_reader.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/leader/lowest.h"
#include "daemon/peers/applied_report.h"
#include "daemon/peers/satellite_report.h"
#include "shm/record/applied.h"
#include "shm/record/leadership.h"
#include "shm/segment/boot.h"
#include "src/base/log.h"

namespace pulse {

namespace {

constexpr int64_t kEvery = 5'000'000'000;
// Where no satellite is listed and no core is asked: a new list comes with list_changed(), a new segment may not.
constexpr int64_t kEveryWithNobody = 30'000'000'000;
// A core that has just come, or is about to, answers soon.
constexpr int64_t kEveryWhileNew = 1'000'000'000;
constexpr int64_t kIsNewFor = 15'000'000'000;
constexpr int64_t kToldAfter = 10'000'000'000;
// Whether there is a segment with a list by now.
constexpr int64_t kLookForList = 500'000'000;
// A satellite's status names each member: some 250 bytes.
constexpr size_t kMostOfASatellite = 512 * 1024;

void count_up(const UniqueFd& fd) {
  const uint64_t one = 1;
  while (::write(fd.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

bool is_readable(const UniqueFd& fd) {
  pollfd wait{fd.get(), POLLIN, 0};
  return ::poll(&wait, 1, 0) > 0;
}

}  // namespace

PeerReports after_round(PeerReports reports, const std::vector<PeerAnswer>& answers, int64_t list_ns, int64_t now_ns) {
  reports.round_ns = now_ns;
  reports.list_ns = list_ns;
  reports.cores = static_cast<uint32_t>(answers.size());
  reports.answered = reports.silent = 0;
  reports.error.fill('\0');
  bool failed = false;
  for (const PeerAnswer& answer : answers) {
    if (answer.report && *answer.report) {
      ++reports.answered;
      merge_applied(reports.applied, **answer.report);
      continue;
    }
    failed = true;
    if (answer.report) ++reports.silent;
    set_text(reports.error, answer.report ? answer.host + " doesn't say what has been applied: its Pulse is older"
                                          : answer.report.error().text);
  }
  if (!failed) {
    reports.failing_ns = 0;
  } else if (reports.failing_ns == 0) {
    reports.failing_ns = now_ns;
  }
  return reports;
}

bool asks_peers(const Config& config) { return config.is_core() && config.core.authority != Authority::never; }

PeerReader::PeerReader(const Config& config, SegmentSource segment)
    : config_(config),
      segment_source_(std::move(segment)),
      boot_id_(machine_boot_id()),
      stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      reports_(std::make_unique<PeerReports>()),
      satellite_reports_(std::make_unique<SatelliteReports>()) {
  reports_->boot_id = satellite_reports_->boot_id = boot_id_;
  if (!config.is_core()) return;
  if (!stop_fd_ || !wake_fd_) {
    log_error(system_error("the other nodes aren't asked for what they know: eventfd", errno).text);
    return;
  }
  thread_ = std::thread([this] { run(); });
}

PeerReader::~PeerReader() {
  if (!thread_.joinable()) return;
  count_up(stop_fd_);
  thread_.join();
}

void PeerReader::list_changed() {
  if (thread_.joinable()) count_up(wake_fd_);
}

void PeerReader::run() {
  // 200 KB, of which only the pages of the cores are ever touched.
  members_ = std::make_unique_for_overwrite<Members>();
  while (!is_readable(stop_fd_)) {
    uint64_t wakes = 0;
    static_cast<void>(::read(wake_fd_.get(), &wakes, sizeof wakes));
    int64_t due_ns = boottime_ns() + kLookForList;
    try {
      due_ns = turn();
    } catch (const std::exception& failure) {  // out of memory, say
      log_error(std::string("peer reports: ") + failure.what());
    }
    pollfd waits[] = {{stop_fd_.get(), POLLIN, 0}, {wake_fd_.get(), POLLIN, 0}};
    const int64_t left_ns = std::clamp<int64_t>(due_ns - boottime_ns(), 0, kEveryWithNobody);
    ::poll(waits, 2, static_cast<int>((left_ns + 999'999) / 1'000'000));
  }
}

// Reads the list, and takes over what the daemon before this one had read. False if there is nothing to read.
bool PeerReader::take_segment(const std::shared_ptr<Segment>& segment) {
  const bool is_other = segment_.lock() != segment;
  PeerReports before{};
  bool read = false;
  const bool mapped = guarded([&] {
    const Layout& layout = segment->layout();
    read = layout.members.read_part(*members_, offsetof(Members, members), [](const Members& head) {
      return offsetof(Members, members) + std::min<size_t>(head.count, kMembers) * sizeof(Member);
    });
    if (is_other) read = layout.peer_reports.read(before) && read;
  });
  if (!mapped || !read) return false;
  if (is_other && before.boot_id == boot_id_) {
    merge_applied(before.applied, reports_->applied);
    if (began_ns_ == 0) *reports_ = before;
    reports_->applied = before.applied;
  }
  if (is_other && !publish(*segment)) return false;
  segment_ = segment;
  return members_->boot_id == boot_id_;
}

// When the next turn is due; a new list comes sooner.
int64_t PeerReader::turn() {
  const std::shared_ptr<Segment> segment = segment_source_();
  if (!segment || !take_segment(segment)) return boottime_ns() + kLookForList;
  int64_t due_ns = boottime_ns() + kEveryWithNobody;
  if (asks_peers(config_)) due_ns = std::min(due_ns, ask_cores(segment));
  const auto end = members_->members.begin() + std::min<size_t>(members_->count, kMembers);
  const bool has_satellites =
      std::any_of(members_->members.begin(), end, [](const Member& member) { return member.is_core == 0; });
  // Without any there is nothing to tell but that there is none any more.
  if (has_satellites || satellite_reports_->leads_ns != 0) due_ns = std::min(due_ns, ask_satellites(*segment));
  return due_ns;
}

int64_t PeerReader::ask_cores(const std::shared_ptr<Segment>& segment) {
  const int64_t now_ns = boottime_ns();
  const bool same_list = began_ns_ != 0 && members_->changed_ns == reports_->list_ns;
  if (!same_list) list_taken_ns_ = now_ns;
  const auto next_ns = [this] {
    const bool soon = reports_->failing_ns != 0 && boottime_ns() - list_taken_ns_ < kIsNewFor;
    return began_ns_ + (soon ? kEveryWhileNew : kEvery);
  };
  if (same_list && now_ns < next_ns()) return next_ns();
  if (ask(*members_)) {
    if (!publish(*segment)) segment_.reset();
    tell();
  }
  return next_ns();
}

// One round. False if the daemon stops meanwhile: what hasn't been asked hasn't failed.
bool PeerReader::ask(const Members& members) {
  began_ns_ = boottime_ns();
  std::vector<PeerAddress> peers;
  std::vector<std::string> addresses;
  for (size_t i = 0; i < std::min<size_t>(members.count, kMembers); ++i) {
    const Member& member = members.members[i];
    if (member.is_core == 0 || member.is_self != 0) continue;
    addresses.emplace_back(text(member.address));
    peers.push_back({addresses.back(), static_cast<uint16_t>(config_.daemon.port)});
  }
  std::sort(addresses.begin(), addresses.end());
  // Who comes new is waited for anew, however long another one has been failing.
  if (!std::includes(asked_.begin(), asked_.end(), addresses.begin(), addresses.end())) reports_->failing_ns = 0;
  asked_ = std::move(addresses);
  std::vector<PeerAnswer> answers;
  for (auto& answer : ask_all(peers, "/status", RoundLimits{}, stop_fd_.get())) {
    const std::string host = peers[answers.size()].host;
    if (!answer) {
      answers.push_back({host, answer.error()});
      continue;
    }
    auto report = parse_applied_report(*answer);
    if (!report) report = Error{host + ": its status: " + report.error().text};
    answers.push_back({host, std::move(report)});
  }
  if (is_readable(stop_fd_)) return false;
  *reports_ = after_round(*reports_, answers, members.changed_ns, boottime_ns());
  return true;
}

// Whether this node is the one core that asks: the leader, or where nobody is elected the lowest one that is ready.
bool PeerReader::leads(const Segment& segment, int64_t now_ns) const {
  LeaderState leader{};
  Discovery discovery{};
  bool read = false;
  const bool mapped =
      guarded([&] { read = segment.layout().leader.read(leader) && segment.layout().discovery.read(discovery); });
  if (!mapped || !read) return false;
  if (config_.leader.mode != LeaderMode::none) return leadership(leader, boot_id_, now_ns).is_self;
  return lowest(*members_, discovery, true, boot_id_, now_ns, config_.discovery.max_age).is_self;
}

int64_t PeerReader::ask_satellites(Segment& segment) {
  const int64_t began_ns = boottime_ns();
  if (began_ns < satellites_due_ns_) return satellites_due_ns_;
  satellites_due_ns_ = began_ns + SatelliteRounds::kTurn.count();
  if (!leads(segment, began_ns)) {
    satellites_ = {};
  } else {
    std::vector<PeerAddress> peers = satellites_.due(*members_, began_ns);
    for (PeerAddress& peer : peers) peer.port = static_cast<uint16_t>(config_.daemon.port);
    const RoundLimits limits{milliseconds(1000), SatelliteRounds::kAtOnce, kMostOfASatellite};
    std::vector<Result<std::optional<SatelliteReport>>> reports;
    for (auto& answer : ask_all(peers, "/status", limits, stop_fd_.get())) {
      if (!answer) {
        reports.emplace_back(answer.error());
        continue;
      }
      auto report = parse_satellite_report(*answer, boottime_ns());
      if (!report) report = Error{peers[reports.size()].host + ": its status: " + report.error().text};
      reports.push_back(std::move(report));
    }
    if (is_readable(stop_fd_)) return satellites_due_ns_;
    satellites_.take(reports, boottime_ns());
  }
  const bool said_something = satellite_reports_->leads_ns != 0;
  satellites_.tell(*satellite_reports_, boottime_ns());
  if (satellite_reports_->leads_ns != 0 || said_something) {
    static_cast<void>(guarded([&] {
      segment.layout().satellite_reports.publish_part(*satellite_reports_, report_bytes(*satellite_reports_));
    }));
  }
  return satellites_due_ns_;
}

bool PeerReader::publish(Segment& segment) {
  return guarded([&] { segment.layout().peer_reports.publish(*reports_); });
}

void PeerReader::tell() {
  const bool failing = reports_->failing_ns != 0;
  const bool long_enough = failing && reports_->round_ns - reports_->failing_ns > kToldAfter;
  if (long_enough && !told_) {
    log_warning("not every core says what has been applied from configuration files: " +
                std::string(text(reports_->error)));
  } else if (!failing && told_) {
    log_info("every core says again what has been applied from configuration files");
  }
  told_ = failing && (long_enough || told_);
}

}  // namespace pulse
