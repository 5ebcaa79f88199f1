// Rows of stats_mysql_query_digest that no client caused: as many as a test asks for, each another digest.
#pragma once

#include <cstdint>

#include "tests/proxysql-double/answer.h"

namespace proxysql_double {

// The row of number `i`; rows of other numbers have other digests. Among 64 in a row there are texts with quotes,
// commas, line ends, tabs, backslashes, UTF-8, bytes that are none, and one of 4 kB. Reuses the memory of `row`.
void generate_digest(uint64_t i, Row& row);

}  // namespace proxysql_double
