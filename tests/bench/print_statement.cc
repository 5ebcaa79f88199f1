// Prints what a beat asks ProxySQL, so that raw-beat sends the very same text. With an argument: what it asks now and
// then.
#include <cstdio>

#include "scheduler/cluster/cluster_query.h"

int main(int argc, char**) {
  const pulse::Look look = argc > 1 ? pulse::Look::everything : pulse::Look::cluster;
  return std::fputs(pulse::observe_statement(look, false).c_str(), stdout) < 0 ? 1 : 0;
}
