#include "tests/bench/members.h"

#include <cstdlib>
#include <filesystem>

#include "tests/loopback.h"

namespace pulse::bench {

namespace {

constexpr int kCores = 3;
constexpr milliseconds kPatience{30'000};
// A watch's span is drawn from the last tenth below this and cut to whole seconds.
constexpr int kWatchMs = 2900;
// The same of the default, discovery.watch_ms = 120000: 114 s on average. Two selectors are watched.
constexpr double kWatchesPerHour = 2 * 3600 / 114.0;

std::string core_address(int number) { return "127.0.0." + std::to_string(1 + number); }

}  // namespace

MemberCluster::MemberCluster(const Programs& programs, const std::string& dir, int members)
    : programs_(programs), dir_(dir), name_("members-" + std::to_string(members)), members_(members) {}

Result<std::unique_ptr<MemberCluster>> MemberCluster::start(const Programs& programs, const std::string& dir,
                                                            int members) {
  std::unique_ptr<MemberCluster> cluster(new MemberCluster(programs, dir, members));
  if (auto done = cluster->set_up(); !done) return done.error();
  return cluster;
}

double MemberCluster::stat(const std::string& key) const {
  const std::string stats = ask_control(dir_ + "/" + name_ + ".api.control", "stats");
  const std::string quoted = "\"" + key + "\":";
  const size_t at = stats.find(quoted);
  return at == std::string::npos ? -1 : std::atof(stats.c_str() + at + quoted.size());
}

Result<void> MemberCluster::set_up() {
  const std::string base = dir_ + "/" + name_;
  const std::string control = base + ".api.control";
  const uint16_t api_port = test::free_port();
  // A bookmark a second, where the real server sends one a minute: two to each watch here as there.
  api_ = Child({programs_.kubernetes, "--account", base + ".account", "--control", control, "--port",
                std::to_string(api_port), "--port-file", base + ".api.port", "--bookmark-ms", "1000"},
               base + ".api.log");
  if (!eventually([&] { return std::filesystem::exists(base + ".api.port"); }, kPatience)) {
    return Error{"the API double doesn't start; " + read_file(base + ".api.log")};
  }
  const std::string core_labels = " labels=app:proxysql,component:core";
  for (int i = 0; i < kCores; ++i) {
    ask_control(control, "pod core-" + std::to_string(i) + " ip=" + core_address(i) + core_labels);
  }
  if (members_ > kCores) {
    ask_control(control,
                "pods satellite " + std::to_string(members_ - kCores) + " labels=app:proxysql,component:satellite");
  }

  ServerOptions options;
  options.admin_port = test::free_port();
  for (int i = 0; i < kCores; ++i) {
    options.entries += std::string(i == 0 ? "" : ", ") + "{ hostname=\"" + core_address(i) +
                       "\", port=" + std::to_string(options.admin_port) + ", comment=\"core-" + std::to_string(i) +
                       "\" }";
  }
  options.pulse =
      "core={ authority=\"never\" }, discovery={ source=\"kubernetes\", watch_ms=" + std::to_string(kWatchMs) +
      ", kubernetes={ api=\"https://127.0.0.1:" + std::to_string(api_port) + "\", service_account=\"" + base +
      ".account\" } }, ";
  options.timeout_ms = 5000;
  options.backends = members_;
  for (int i = 0; i < kCores; ++i) {
    options.name = name_ + "-core-" + std::to_string(i);
    options.address = core_address(i);
    auto server = std::make_unique<Server>(programs_, dir_, options);
    if (auto up = server->wait_until_up(); !up) return up;
    if (i == 0) {
      core_ = std::move(server);
    } else {
      peers_.push_back(std::move(server));
    }
  }
  // A segment for the daemon to publish to.
  if (auto beat = run_measured(core_->beat()); !beat) return beat.error();
  daemon_ = std::make_unique<Daemon>(programs_, *core_, base + ".daemon.log");
  const bool known = eventually([&] { return daemon_->members() == members_; }, kPatience);
  if (!known) return Error{"the daemon doesn't find all members; " + read_file(base + ".daemon.log")};
  traffic_.list_requests = stat("list");
  traffic_.list_bytes = stat("bytes_in") + stat("bytes_out");
  return {};
}

Result<ApiTraffic> MemberCluster::traffic(std::chrono::milliseconds span) {
  const auto bytes = [&] { return stat("bytes_in") + stat("bytes_out"); };
  const auto pause = [](std::chrono::milliseconds length) {
    const timespec time{length.count() / 1000, length.count() % 1000 * 1'000'000};
    ::nanosleep(&time, nullptr);
  };
  const double lists = stat("list"), watches = stat("watch"), before = bytes();
  pause(span);
  const double watched = stat("watch") - watches;
  const double per_watch = (bytes() - before) / watched;
  if (watched < 1 || stat("list") != lists) return Error{"the daemon's watches don't end and go on"};
  traffic_.hour_requests = kWatchesPerHour;
  traffic_.hour_bytes = per_watch * kWatchesPerHour;

  constexpr int kChanges = 20;
  const double watches_before = stat("watch"), bytes_before = bytes();
  const std::string control = dir_ + "/" + name_ + ".api.control";
  for (int i = 0; i < kChanges; ++i) {
    ask_control(control, "pod core-2 ready=" + std::to_string(i % 2));
    pause(std::chrono::milliseconds(50));
  }
  const double of_watches = (stat("watch") - watches_before) * per_watch;
  traffic_.change_bytes = (bytes() - bytes_before - of_watches) / kChanges;
  return traffic_;
}

}  // namespace pulse::bench
