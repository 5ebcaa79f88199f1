#!/usr/bin/env python3
"""Records anew what a real ProxySQL stores of each file of rows.txt: PROXYSQL_BIN=/usr/bin/proxysql ./record_rows.py

The server is started with a file of its own in a directory of its own. For each input, that file is replaced, the
tables are emptied, each LOAD ... FROM CONFIG is run, and the tables are read. Needs the mysql client.
"""
import os
import pathlib
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent
LOADS = ("ADMIN VARIABLES", "MYSQL VARIABLES", "MYSQL SERVERS", "MYSQL USERS", "MYSQL QUERY RULES", "PROXYSQL SERVERS",
         "SCHEDULER")
TABLES = ("mysql_servers", "mysql_users", "mysql_query_rules", "mysql_replication_hostgroups",
          "mysql_group_replication_hostgroups", "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups",
          "mysql_servers_ssl_params", "proxysql_servers", "scheduler", "global_variables")


def unescape(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def escape(data):
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in data)


def unquote(cell):
    """One value as SQLite's quote() writes it, with a record separator for a newline; N for NULL."""
    cell = cell.replace(b"\x1e", b"\n")
    if cell == b"NULL":
        return "N"
    return "=" + escape(cell[1:-1].replace(b"''", b"'") if cell.startswith(b"'") else cell)


class Server:
    def __init__(self, binary, directory):
        self.file = directory / "proxysql.cnf"
        self.socket = directory / "admin.sock"
        self.own = (f'datadir="{directory}"\nadmin_variables={{ admin_credentials="admin:admin" '
                    f'mysql_ifaces="{self.socket}" }}\n'
                    f'mysql_variables={{ interfaces="{directory}/mysql.sock" threads=1 monitor_enabled=false }}\n')
        self.file.write_text(self.own)
        log = open(directory / "log", "wb")
        self.process = subprocess.Popen([binary, "-f", "-c", self.file, "--initial", "--no-version-check"], stdout=log,
                                        stderr=log)
        for _ in range(200):
            if self.socket.exists() and self.run("SELECT 1").returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit("the server doesn't answer")

    def run(self, statements):
        command = ["mysql", "--no-defaults", "-uadmin", "-padmin", f"-S{self.socket}", "-NBrf", "--connect-timeout=5"]
        return subprocess.run(command, input=statements.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)

    def columns(self, table):
        text = self.run(f"SHOW CREATE TABLE main.{table}").stdout.decode()
        return [line.split()[0] for line in text.splitlines()[1:]
                if line.startswith("    ") and line.split()[0].strip("( ") not in ("PRIMARY", "UNIQUE")]

    def stored(self, data, columns):
        self.file.write_bytes(data)
        # In upper case: the name of the variables in lower case makes ProxySQL put all of them in.
        statements = [f"DELETE FROM main.{table.upper()}" for table in TABLES]
        statements += [f"LOAD {module} FROM CONFIG" for module in LOADS]
        for table in TABLES:
            cells = "||char(31)||".join(f"replace(quote({column}),char(10),char(30))" for column in columns[table])
            statements.append(f"SELECT '{table.upper()} '||{cells} FROM main.{table.upper()}")
        done = self.run(";\n".join(statements) + ";\n")
        if self.process.poll() is not None:
            raise SystemExit(f"the server died of {escape(data)}")
        return done


def main():
    corpus = HERE / "rows.txt"
    inputs = [line[3:] for line in corpus.read_text().splitlines() if line.startswith("in ")]
    with tempfile.TemporaryDirectory() as name:
        server = Server(os.environ["PROXYSQL_BIN"], pathlib.Path(name))
        try:
            columns = {table: server.columns(table) for table in TABLES}
            version = server.run("SELECT version()").stdout.decode().strip()
            out = [f"# Recorded by record_rows.py from ProxySQL {version}. See README.md."]
            out += [f"columns {table} {' '.join(columns[table])}" for table in TABLES]
            for number, text in enumerate(inputs):
                done = server.stored(unescape(text), columns)
                if b"Unable to open or parse" in done.stderr:
                    raise SystemExit(f"input {number} isn't a file: {text}")
                out.append("in " + text)
                for line in sorted(line for line in done.stdout.split(b"\n") if b" " in line):
                    table, cells = line.split(b" ", 1)
                    out.append(table.decode().lower() + " " + "\t".join(unquote(cell) for cell in cells.split(b"\x1f")))
        finally:
            server.process.kill()
            server.process.wait()
    corpus.write_text("\n".join(out) + "\n")
    print(f"{len(inputs)} inputs, ProxySQL {version}")


if __name__ == "__main__":
    main()
