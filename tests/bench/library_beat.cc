// library-beat beat PORT USER PASSWORD STATEMENT: a beat's conversation with the admin interface by Connector/C.
//
// What raw-beat does by hand, with the timeouts that the library offers, and nothing else of a beat: no file, no lock,
// no state segment, no plan. Linked as proxysql-pulse is, and started as a beat is, which the word "beat" asks for. The
// least that a beat costs which speaks by this library.
#include <mysql.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include "tests/bench/give_up.h"

using pulse::bench::give_up;

int main(int argc, char** argv) {
  if (argc != 6) give_up("usage: library-beat beat PORT USER PASSWORD STATEMENT");
  mysql_port = 3306;  // else the library asks NSS
  MYSQL* const mysql = mysql_init(nullptr);
  if (mysql == nullptr) give_up("out of memory");
  const unsigned timeout_s = 1;
  for (const mysql_option option : {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT}) {
    mysql_options(mysql, option, &timeout_s);
  }
  const auto port = static_cast<unsigned>(atoi(argv[2]));
  if (mysql_real_connect(mysql, "127.0.0.1", argv[3], argv[4], nullptr, port, nullptr, 0) == nullptr ||
      mysql_real_query(mysql, argv[5], strlen(argv[5])) != 0) {
    give_up(mysql_error(mysql));
  }
  MYSQL_RES* const result = mysql_use_result(mysql);
  if (result == nullptr) give_up(mysql_error(mysql));
  while (mysql_fetch_row(result) != nullptr) {
  }
  if (mysql_errno(mysql) != 0) give_up(mysql_error(mysql));
  mysql_close(mysql);
  _exit(0);
}
