// The double's parts, as one.
#pragma once

#include <atomic>

#include "tests/kubernetes-double/account.h"
#include "tests/kubernetes-double/certificates.h"
#include "tests/kubernetes-double/faults.h"
#include "tests/kubernetes-double/journal.h"
#include "tests/kubernetes-double/lease.h"
#include "tests/kubernetes-double/listener.h"
#include "tests/kubernetes-double/options.h"
#include "tests/kubernetes-double/store.h"
#include "tests/kubernetes-double/wakeups.h"
#include "tests/kubernetes-double/workload.h"

namespace kubernetes_double {

// Lives until the process ends: threads of connections refer to it.
struct Server {
  explicit Server(const Options& given)
      : options(given), certificates(given.listen), store(wakeups, given.pod_bytes, given.history) {}

  const Options options;
  const Certificates certificates;
  Wakeups wakeups;
  Store store;
  Leases leases;
  TemplateObjects templates;
  Account account;
  Faults faults;
  Journal journal;
  Listener listener;
  std::atomic<uint64_t> bookmarks{0};  // asked for over the control socket
};

}  // namespace kubernetes_double
