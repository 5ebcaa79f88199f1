#include "tests/proxysql-double/scheduler.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/proxysql-double/log.h"

namespace proxysql_double {
namespace {

// Between fork() and execve(): only calls that are safe there.
[[noreturn]] void become(char* const* arguments) {
  ::close_range(3, ~0U, 0);
  sigset_t nothing;
  ::sigemptyset(&nothing);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  char* const empty_environment[] = {nullptr};
  ::execve(arguments[0], arguments, empty_environment);
  const char* reason = ::strerrordesc_np(errno);
  for (const char* part : {"Scheduler: Failed to run ", static_cast<const char*>(arguments[0]), " : ", reason, "\n"}) {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, part, ::strlen(part));
  }
  ::_exit(EXIT_FAILURE);
}

}  // namespace

void Scheduler::load(const ResultSet& rows) {
  std::vector<Job> jobs;
  for (const Row& row : rows.rows) {
    if (row[1].value_or("0") != "1") continue;
    Job job;
    job.id = row[0].value_or("");
    job.interval = std::chrono::milliseconds(std::atoll(row[2].value_or("0").c_str()));
    for (size_t i = 3; i < 9 && row[i]; ++i) job.command.push_back(*row[i]);
    job.next = std::chrono::steady_clock::now() + job.interval;
    jobs.push_back(std::move(job));
  }
  const std::lock_guard lock(mutex_);
  jobs_ = std::move(jobs);
}

void Scheduler::run_due() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  for (Job& job : jobs_) {
    if (now < job.next) continue;
    job.next = now + job.interval;
    log_info("Scheduler starting id: " + job.id + " , filename: " + job.command[0]);
    ++runs_;
    start(job);
  }
}

void Scheduler::start(const Job& job) {
  std::vector<std::string> texts = job.command;
  std::vector<char*> arguments;
  arguments.reserve(texts.size() + 1);
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);

  const pid_t child = ::fork();
  if (child == 0) become(arguments.data());
  if (child < 0) {
    log_error(std::string("Scheduler: fork failed: ") + std::strerror(errno));
    std::exit(EXIT_FAILURE);
  }
  std::thread([child] { ::waitpid(child, nullptr, 0); }).detach();
}

}  // namespace proxysql_double
