// What SELECT CONFIG FILE answers: the configuration in memory as the text of a proxysql.cnf.
#pragma once

#include <string>

#include "tests/proxysql-double/database.h"

namespace proxysql_double {

// Variables stand between quotes as they are, so a quote in one spoils the file, as it does with the real server.
std::string saved_config(Database& database, bool pgsql);

}  // namespace proxysql_double
