// Prints what a beat asks ProxySQL, so that raw-beat sends the very same text.
#include <cstdio>

#include "scheduler/cluster/cluster_query.h"

int main() { return std::fputs(pulse::observe_statement(pulse::Look::cluster).c_str(), stdout) < 0 ? 1 : 0; }
