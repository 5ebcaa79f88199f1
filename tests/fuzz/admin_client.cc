// Any bytes as what the admin interface says, from the greeting on: an answer or an error, within the deadline. The
// first byte says whether the server then falls silent instead of closing the connection.
#include "scheduler/admin/admin_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "scheduler/cluster/cluster_query.h"
#include "src/base/unique_fd.h"
#include "tests/fuzz/fuzz.h"
#include "tests/temp_dir.h"

using namespace pulse;
using fuzz::expect;

namespace {

// Says what it is given to every client, whatever that one says.
class Babbler {
 public:
  Babbler() : path_(dir_ / "admin.sock") {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    expect(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
               ::listen(listener_.get(), 16) == 0,
           "listens");
    std::thread([this] { serve(); }).detach();
  }

  const std::string& path() const { return path_; }
  void say(std::string_view text, bool silent) {
    const std::lock_guard lock(mutex_);
    text_ = text;
    silent_ = silent;
  }

 private:
  [[noreturn]] void serve() {
    for (;;) {
      const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      bool silent = false;
      {
        const std::lock_guard lock(mutex_);
        static_cast<void>(::send(client.get(), text_.data(), text_.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
        silent = silent_;
      }
      if (!silent) ::shutdown(client.get(), SHUT_WR);
      char buffer[4096];
      while (::recv(client.get(), buffer, sizeof buffer, 0) > 0) {
      }
    }
  }

  test::TempDir dir_;
  std::string path_;
  UniqueFd listener_;
  std::mutex mutex_;
  std::string text_;
  bool silent_ = false;
};

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Babbler babbler;
  fuzz::Input input(data, size);
  const bool silent = input.byte() == 1;
  babbler.say(input.rest(), silent);
  constexpr milliseconds kTimeout{20};
  constexpr milliseconds kHonest{5000};  // sanitizers, and machines that are shared
  const int64_t began = monotonic_ns();
  const Deadline deadline = Deadline::after(kTimeout);
  AdminTarget target;
  target.host = babbler.path();
  target.user = "admin";
  target.password = "admin";
  auto client = AdminClient::connect(target, deadline);
  if (client) {
    static_cast<void>(client->connection_id());
    for (const Look look : {Look::everything, Look::cluster}) {
      const auto answer = client->query(observe_statement(look, true), deadline);
      if (!answer) {
        expect(!answer.error().text.empty(), "an error says what was tried");
        break;
      }
      static_cast<void>(parse_seen(*answer, look));
    }
    // Also what a good conversation does: it frees what the library holds.
    client->close(deadline);
  } else {
    expect(client.error().text.find(babbler.path()) != std::string::npos, "an error names the server");
  }
  expect(nanoseconds(monotonic_ns() - began) < kTimeout + kHonest, "the deadline holds");
  return 0;
}
