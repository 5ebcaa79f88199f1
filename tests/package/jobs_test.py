"""The ready-made jobs of proxysql-config/jobs, each run by `proxysql-pulse job`, as ProxySQL's scheduler does it."""
import contextlib
import csv
import http.server
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from nodes import PROXYSQL, Api, Started
from support import BUILD, PATIENCE_S, SOURCE, TestCase, eventually, free_port, pulse, run, settings

JOBS = SOURCE / "proxysql-config/jobs"
SCRIPTS = {"admin", "backup-config", "chaos", "purge-digests", "upload-digests"}
PASSWORD = "a-pass-word"
IS_DOUBLE = not os.environ.get("PROXYSQL_BIN")


class Server(Started):
    """A ProxySQL that answers on loopback, its file with one job of each script that is asked for, and a beat behind it."""

    def __init__(self, test, jobs, pulse_lines="", address="127.0.0.1", version=None):
        super().__init__(test)
        self.address = address
        self.admin_port, self.mysql_port = free_port(address), free_port(address)
        self.config, self.state, self.login = self.dir / "proxysql.cnf", self.dir / "state", self.dir / "login.cnf"
        (self.dir / "data").mkdir()
        self.pulse_lines = pulse_lines
        self.login.write_text(f"[client]\nuser=admin2\npassword={PASSWORD}\nhost={address}\nport={self.admin_port}\n")
        self.login.chmod(0o600)
        self.write(jobs)
        words = [PROXYSQL, "-f", "-c", self.config, "-D", self.dir / "data", "--no-version-check"]
        if IS_DOUBLE:
            words += ["--control", self.dir / "control", "--die-with-parent"]
            words += ["--proxysql-version", version] if version else []
        self.proxysql = self.start(words, env={"PATH": "/usr/bin:/bin"})
        test.assertTrue(eventually(self.beat), self.log())

    def write(self, jobs):
        """`jobs`: {name: (words of the command, more of the entry)}."""
        variables = [f"PATH={BUILD}/bin:/usr/bin:/bin", f"ADMIN_CNF={self.login}", f"PROXYSQL_CNF={self.config}"]

        def entry(name, words, more):
            command = ", ".join(json.dumps(str(word)) for word in (JOBS / words[0], *words[1:]))
            return (f'{{ name = "{name}"  command = [{command}]  environment = {json.dumps(variables)}  {more} }}')

        listed = ",\n".join(entry(name, words, more) for name, (words, more) in jobs.items())
        self.config.write_text(f"""
pulse = {{ role = "standalone"  state = "{self.state}"  interval_ms = 500  timeout_ms = 2000
  {self.pulse_lines}
  jobs = ( {listed} ) }}
admin_variables = {{ admin_credentials = "admin2:{PASSWORD}"  mysql_ifaces = "{self.address}:{self.admin_port}" }}
mysql_variables = {{ interfaces = "{self.address}:{self.mysql_port}"  monitor_enabled = "false" }}
mysql_servers = ( {{ address = "127.0.0.1"  port = 3306  hostgroup = 0 }} )
mysql_users = ( {{ username = "app"  password = "app"  default_hostgroup = 0 }} )
scheduler = ( {{ id = 1  active = 1  interval_ms = 500  filename = "{BUILD}/bin/proxysql-pulse"  arg1 = "beat"
                arg2 = "--config"  arg3 = "{self.config}" }} )
""")

    def beat(self):
        return subprocess.run([BUILD / "bin/proxysql-pulse", "beat", f"--config={self.config}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE_S,
                              check=False).returncode == 0

    def job(self, name, expect=0):
        # ProxySQL gives an empty environment.
        return run(BUILD / "bin/proxysql-pulse", "job", name, f"--config={self.config}", expect=expect, env={}, cwd="/")

    def start_job(self, name):
        return self.start([BUILD / "bin/proxysql-pulse", "job", name, f"--config={self.config}"], env={}, cwd="/")

    def status(self):
        return json.loads(pulse("status", "--json", f"--config={self.config}", expect=None))

    def report(self, name):
        return next(one for one in self.status()["jobs"] if one["name"] == name)

    def ask(self, statement, timeout=PATIENCE_S):
        """The rows of a statement, each a list; None if no answer came in time."""
        try:
            done = subprocess.run(["mysql", f"--defaults-file={self.login}", "--batch", "--skip-column-names", "-e", statement],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=True)
        except subprocess.TimeoutExpired:
            return None
        return [line.split("\t") for line in done.stdout.splitlines()]

    def control(self, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(PATIENCE_S)
            control.connect(str(self.dir / "control"))
            control.sendall(f"{command}\n".encode())
            answer = json.loads(control.makefile().readline())
        self.test.assertTrue(answer["ok"], answer)
        return answer

    @contextlib.contextmanager
    def resting_client(self):
        """A client of the MySQL port that rests."""
        client = subprocess.Popen(["mysql", "--no-defaults", f"--host={self.address}", f"--port={self.mysql_port}", "--user=app",
                                   "--password=app", "--unbuffered", "--skip-reconnect", "--batch"], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # Behind its login.
            self.test.assertTrue(eventually(lambda: self.ask(
                "SELECT SessionID FROM stats_mysql_processlist WHERE command = 'Sleep'")), self.log())
            yield client
        finally:
            client.kill()
            client.stdin.close()
            client.wait()


class Storage:
    """Takes what is PUT; `refuse` answers with an error."""

    def __init__(self):
        self.taken, self.seen_on_command_lines, self.refuse = [], [], False
        storage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                storage.seen_on_command_lines += [line for line in command_lines() if "secret-signature" in line]
                if not storage.refuse:
                    storage.taken.append((self.path, body.decode(errors="replace")))
                self.send_response(503 if storage.refuse else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def command_lines():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def rows_of(dump):
    """Without the header."""
    return len(list(csv.reader(dump.splitlines(keepends=True)))) - 1


class Member(Storage):
    """Another member's daemon, as far as its /status goes."""

    def __init__(self, address, port, state="beating", status="ok", running=False):
        self.state, self.status, self.running = state, status, running
        member = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"status": member.status, "state": member.state, "jobs": [
                    {"name": "chaos", "running": member.running}]}, indent=2).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)


class Examples(TestCase):
    def test_each_script_has_an_entry_that_is_right(self):
        self.assertEqual(SCRIPTS | {"example.cnf"}, {path.name for path in JOBS.iterdir()})
        text = (JOBS / "example.cnf").read_text()
        _, output = settings(JOBS / "example.cnf")
        self.assertNotRegex(output, r"\[(warning|error)\]")
        named = re.findall(r'"/usr/share/proxysql-pulse/jobs/([^"]*)"', text)
        self.assertEqual(SCRIPTS - {"admin"}, set(named))
        started = set(re.findall(r'arg1 = "job"  arg2 = "([^"]*)"', text))
        self.assertEqual(started, set(named))
        for name in SCRIPTS:
            self.assertEqual(0o755, (JOBS / name).stat().st_mode & 0o777, name)
            self.assertIn(name, (SOURCE / "docs/jobs.md").read_text())
        # No fault on its own.
        self.assertRegex(text, r'active = 0 .*arg2 = "chaos"')

    def test_shellcheck(self):
        listed = re.search(r"^  shellcheck (.*?)\n}", (SOURCE / "scripts/test").read_text(), re.M | re.S).group(1)
        (names,) = re.findall(r"proxysql-config/jobs/{(.*)}", listed)
        self.assertEqual(SCRIPTS, set(names.split(",")))
        if shutil.which("shellcheck") is None:
            self.skipTest("shellcheck isn't installed")
        run("shellcheck", *(JOBS / name for name in SCRIPTS))


class Admin(TestCase):
    def test_the_login_is_nobody_elses(self):
        with Server(self, {"ask": (["admin", "SELECT 41 + 1"], "")}) as server:
            self.assertEqual("job ask: 42", re.sub(r".*\[info\] ", "", server.job("ask")).strip())
            server.login.chmod(0o604)
            self.assertIn("has mode 604", server.job("ask", expect=78))

    def test_the_password_is_on_no_command_line(self):
        with Server(self, {"ask": (["admin", "PULL VERSION MYSQL SERVERS 4000000000 2"], "")}) as server:
            job = server.start_job("ask")
            lines = eventually(lambda: [line for line in command_lines() if "mysql" in line and str(server.login) in line])
            self.assertTrue(lines, server.log())
            self.assertFalse([line for line in command_lines() if PASSWORD in line])
            self.assertEqual(0, job.wait(timeout=PATIENCE_S), server.log())

    @unittest.skipUnless(IS_DOUBLE, "counts statements of the double")
    def test_an_unresponsive_admin_interface_is_left_alone(self):
        with Server(self, {"ask": (["admin", "SELECT 1"], "")}) as server:
            server.control("wedge 1")
            self.assertFalse(server.beat())
            self.assertTrue(eventually(lambda: server.status()["state"] == "admin_unresponsive" or server.beat()))
            before = server.control("stats")["admin_connections_total"]
            self.assertIn("not asked: this node is admin_unresponsive", server.job("ask", expect=75))
            self.assertEqual(before, server.control("stats")["admin_connections_total"])
            server.control("unwedge")


class Upload(TestCase):
    def count(self, server, number):
        if IS_DOUBLE:
            server.control(f"digests {number}")

    def test_by_urls_of_which_each_is_used_once(self):
        with Storage() as storage:
            urls = self.temp_dir() / "urls"
            spool = self.temp_dir() / "spool"
            secret = "?X-Amz-Signature=secret-signature"
            urls.write_text(f"\n{storage.url}/first{secret}\n{storage.url}/second{secret}\n")
            with Server(self, {"up": (["upload-digests", spool, "--url", urls], "")}) as server:
                self.count(server, 3)
                server.job("up")
                ((path, text),) = storage.taken
                self.assertEqual("/first" + secret, path)
                self.assertTrue(text.startswith("pod_name,hostgroup,schemaname,"), text)
                if IS_DOUBLE:
                    self.assertEqual(3, rows_of(text))
                self.assertEqual(f"{storage.url}/second{secret}\n", urls.read_text())
                self.assertEqual(0o700, spool.stat().st_mode & 0o777)
                self.assertEqual([], list(spool.iterdir()))
                # What fails stays, and the URL with it.
                storage.refuse = True
                self.count(server, 5)
                said = server.job("up", expect=1)
                self.assertIn("wasn't uploaded and stays", said)
                self.assertNotIn("secret-signature", said)
                self.assertNotIn("secret-signature", json.dumps(server.report("up")))
                self.assertEqual(1, len(list(spool.iterdir())))
                self.assertEqual(f"{storage.url}/second{secret}\n", urls.read_text())
                # The next run uploads it first, and then has no URL for its own dump.
                storage.refuse = False
                self.assertIn("has no URL left", server.job("up", expect=1))
                self.assertEqual(["/first" + secret, "/second" + secret], [path for path, _ in storage.taken])
                if IS_DOUBLE:
                    self.assertEqual(5, rows_of(storage.taken[1][1]))
                self.assertEqual(1, len(list(spool.iterdir())))
            self.assertEqual([], storage.seen_on_command_lines)

    def test_by_one_url_with_the_name_in_it(self):
        with Storage() as storage:
            urls, spool = self.temp_dir() / "urls", self.temp_dir()
            urls.write_text(f"{storage.url}/digests/{{}}?secret-signature\n")
            with Server(self, {"up": (["upload-digests", spool, "--url", urls], "")}) as server:
                server.job("up")
                server.job("up")
            names = [path for path, _ in storage.taken]
            self.assertEqual(2, len(set(names)))
            for name in names:
                self.assertRegex(name, r"^/digests/.*-stats_mysql_query_digest-[0-9TZ.]*\.csv\?secret-signature$")

    def test_by_a_command(self):
        spool, bucket = self.temp_dir(), self.temp_dir()
        with Server(self, {"up": (["upload-digests", spool, "--", "cp", "/dev/stdin", f"{bucket}/{{}}"], ""),
                           "bad": (["upload-digests", spool, "--", "false"], "")}) as server:
            self.count(server, 2)
            self.assertIn("wasn't uploaded", server.job("bad", expect=1))
            self.count(server, 1)
            server.job("up")
            dumps = sorted(bucket.iterdir())
            self.assertEqual(2, len(dumps))
            if IS_DOUBLE:  # each holds what was counted since the one before
                self.assertEqual([2, 1], [rows_of(dump.read_bytes().decode(errors="replace")) for dump in dumps])
            self.assertEqual([], list(spool.iterdir()))

    def test_a_spool_that_is_full_takes_no_counts_from_proxysql(self):
        spool = self.temp_dir()
        with Server(self, {"bad": (["upload-digests", spool, "--most", "2", "--", "false"], "")}) as server:
            for _ in range(2):
                server.job("bad", expect=1)
            self.count(server, 7)
            said = server.job("bad", expect=1)
            self.assertIn(f"2 dumps wait in {spool}: nothing new is dumped", said)
            self.assertEqual(2, len(list(spool.iterdir())))
            if IS_DOUBLE:
                self.assertEqual([["7"]], server.ask("SELECT count(*) FROM stats_mysql_query_digest"))

    def test_usage(self):
        for words in ([], ["d"], ["d", "--url", "f", "--", "true"], ["d", "--most", "0", "--", "true"], ["--what"]):
            run(JOBS / "upload-digests", *words, expect=64)


class Backup(TestCase):
    def files(self, directory):
        return sorted(path.name for path in directory.iterdir())

    def test_dated_private_readable_and_pruned(self):
        directory = self.temp_dir() / "backups"
        with Server(self, {"backup": (["backup-config", directory, 2], "")}) as server:
            server.ask("INSERT INTO mysql_users (username, password) VALUES ('o\"brien', 'pass\\word')")
            server.job("backup")
            (name,) = self.files(directory)
            self.assertRegex(name, rf"^proxysql-{re.escape(os.uname().nodename)}-\d{{8}}T\d{{6}}Z\.cnf$")
            self.assertEqual(0o600, (directory / name).stat().st_mode & 0o777)
            self.assertEqual(0o700, directory.stat().st_mode & 0o777)
            text = (directory / name).read_text()
            self.assertIn(f'admin_credentials="admin2:{PASSWORD}"', text.replace(" ", ""))
            self.assertRegex(text, r'username\s*=\s*"app"')
            # A ProxySQL starts with it.
            again = self.dir_with(text, server)
            self.assertTrue(eventually(lambda: again.ask("SELECT username FROM mysql_users")), again.log())
            self.assertIn(["app"], again.ask("SELECT username FROM mysql_users"))
            again.__exit__()
            others = [f"proxysql-{os.uname().nodename}-2-20200101T000000Z.cnf", "kept.cnf"]
            old = [f"proxysql-{os.uname().nodename}-20200101T00000{i}Z.cnf" for i in range(5)]
            for file in others + old:
                (directory / file).write_text("")
            self.assertTrue(eventually(lambda: self.later(server, name)))
            left = self.files(directory)
            self.assertEqual(sorted(others), [file for file in left if file in others])
            self.assertEqual(4, len(left), left)
            self.assertIn(name, left)

    def later(self, server, name):
        """Another second than the first backup's."""
        if time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) in name:
            return False
        server.job("backup")
        return True

    def dir_with(self, text, server):
        again = Started(self)
        for old, new in ((server.admin_port, free_port()), (server.mysql_port, free_port())):
            text = text.replace(f":{old}", f":{new}")
        again.port = int(re.search(r'mysql_ifaces="[^:]*:(\d+)', text).group(1))
        config = again.dir / "proxysql.cnf"
        config.write_text(text)
        (again.dir / "data").mkdir()
        again.start([PROXYSQL, "-f", "-c", config, "-D", again.dir / "data", "--no-version-check"])
        again.ask = lambda statement: [line.split("\t") for line in run(
            "mysql", f"--defaults-file={server.login}", f"--port={again.port}", "--batch", "--skip-column-names", "-e",
            statement, expect=None).splitlines() if not line.startswith("ERROR")]
        self.addCleanup(again.__exit__)
        return again

    def test_what_cannot_be_read_back_is_told_and_kept(self):
        directory = self.temp_dir()
        with Server(self, {"backup": (["backup-config", directory], "")}) as server:
            server.ask("UPDATE global_variables SET variable_value = 'a\"b' WHERE variable_name = 'mysql-monitor_password'")
            self.assertIn("can't be read back", server.job("backup", expect=1))
            (name,) = self.files(directory)
            self.assertEqual(f"proxysql-{os.uname().nodename}.broken", name)
            self.assertEqual(0o600, (directory / name).stat().st_mode & 0o777)

    def test_a_directory_of_everybody_is_refused(self):
        directory = self.temp_dir()
        directory.chmod(0o755)
        with Server(self, {"backup": (["backup-config", directory], "")}) as server:
            self.assertIn("has mode 755", server.job("backup", expect=78))
            self.assertEqual([], self.files(directory))

    def test_a_full_disk_costs_no_older_backup(self):
        directory = self.temp_dir()
        with Server(self, {}) as server:
            older = directory / f"proxysql-{os.uname().nodename}-20200101T000000Z.cnf"
            older.write_text("older")

            def small_files():
                resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

            done = subprocess.run([JOBS / "backup-config", directory, "1"], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, preexec_fn=small_files, restore_signals=False, timeout=PATIENCE_S, check=False,
                                  env={"PATH": f"{BUILD}/bin:/usr/bin:/bin", "ADMIN_CNF": str(server.login),
                                       "PROXYSQL_CNF": str(server.config)})
            self.assertEqual(1, done.returncode, done.stderr)
            self.assertIn("File too large", done.stderr)
            self.assertEqual([older.name], self.files(directory))


class Purge(TestCase):
    @unittest.skipUnless(IS_DOUBLE, "makes digests by the double")
    def test_digests_above_a_bound_are_forgotten(self):
        with Server(self, {"purge": (["purge-digests", "--over-mb", "1"], "")}) as server:
            count = "SELECT count(*) FROM stats_mysql_query_digest"
            server.control("digests 5000")  # 200 bytes each
            self.assertEqual("", server.job("purge"))
            self.assertEqual([["5000"]], server.ask(count))
            server.control("digests 6000")
            self.assertIn("forgot 1 MB of digests of mysql", server.job("purge"))
            self.assertEqual([["0"]], server.ask(count))

    @unittest.skipUnless(IS_DOUBLE, "makes digests by the double")
    def test_proxysql_3_names_them_by_protocol(self):
        directory = self.temp_dir()
        with Server(self, {"purge": (["purge-digests", "--over-mb", "1"], ""), "backup": (["backup-config", directory], "")},
                    version="3.0.7") as server:
            server.control("digests 6000")
            self.assertIn("forgot 1 MB of digests of mysql", server.job("purge"))
            self.assertEqual([["0"]], server.ask("SELECT count(*) FROM stats_mysql_query_digest"))
            server.job("backup")
            (file,) = directory.iterdir()
            self.assertIn("pgsql_users", file.read_text())

    def test_old_history_goes_in_pieces(self):
        with Server(self, {"purge": (["purge-digests", "--history-days", "3"], "")}) as server:
            now = int(time.time())
            for age, rows in ((4, 12000), (2, 50)):
                server.ask("INSERT INTO stats_history.history_mysql_query_digest SELECT " + str(now - age * 86400) +
                           ", 0, 'a', 'b', '', '0x1', 'text', 1, 1, 1, 1, 1, 1, 1, 1 FROM (WITH RECURSIVE c(x) AS "
                           f"(SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {rows}) SELECT x FROM c)")
            count = "SELECT count(*) FROM stats_history.history_mysql_query_digest"
            self.assertEqual([["12050"]], server.ask(count))
            server.job("purge")
            self.assertEqual([["50"]], server.ask(count))

    def test_usage(self):
        for words in (["--over-mb"], ["--over-mb", "0"], ["--what", "1"], ["1"]):
            run(JOBS / "purge-digests", *words, expect=64)


class Chaos(TestCase):
    def server(self, *words, pulse_lines="", **options):
        command = ["chaos", "--break-things", "--calm", "1", "--seconds", "1", *words]
        return Server(self, {"chaos": (command, "timeout_ms = 30000")}, pulse_lines, **options)

    def test_nothing_without_the_switch_or_outside_a_job(self):
        self.assertIn("nothing is broken without --break-things", run(JOBS / "chaos", "beat", expect=64, env={}))
        self.assertIn("runs as a job alone", run(JOBS / "chaos", "--break-things", "beat", expect=64, env={}))
        for words in ([], ["--seconds", "61", "admin"], ["--seconds", "5", "--calm", "4", "admin"], ["--seconds"], ["all"]):
            run(JOBS / "chaos", "--break-things", *words, expect=64, env={"PULSE_JOB": "chaos"})

    def test_who_is_not_the_leader_by_lease_stands_aside(self):
        with self.server("admin") as server:
            self.assertIn("leader.mode is none", server.job("chaos"))
        with self.server("admin", pulse_lines='leader = { mode = "lowest" }') as server:
            self.start_daemon(server)
            self.assertTrue(eventually(lambda: server.status()["leader"]["mode"] == "lowest"))
            self.assertIn("leader.mode is lowest", server.job("chaos"))

    def start_daemon(self, server, **environment):
        return server.start([BUILD / "bin/proxysql-pulsed", f"--config={server.config}"],
                            env={"PULSE_DAEMON_PORT": str(free_port(server.address)),
                                 "PULSE_DAEMON_LISTEN_ADDRESS": server.address} | environment)

    def test_the_leader_by_lease_acts(self):
        with Api(self) as api:
            api.pod("core-0", "127.0.0.1", {"app": "proxysql", "component": "core"})
            lines = (f'leader = {{ mode = "lease"  identity = "core-0" }}  discovery = {{ source = "kubernetes"  kubernetes = '
                     f'{{ api = "https://127.0.0.1:{api.port}"  service_account = "{api.account}" }} }}')
            with self.server("beat", pulse_lines=lines) as server:
                self.assertIn("leader.mode is none", server.job("chaos"), "before anybody has told")
                self.start_daemon(server, PULSE_ADDRESS="127.0.0.1")
                self.assertTrue(eventually(lambda: server.status()["leader"]["is_self"]), server.log())
                said = server.job("chaos")
                self.assertRegex(said, "killed a beat|a beat had ended")
                self.assertRegex(server.report("chaos")["last_line"], "killed a beat|a beat had ended")

    def test_while_another_one_leads(self):
        """What a status says then; the script asks nobody else."""
        said = {"status": "ok", "state": "beating", "leader": {"mode": "lease", "is_self": False}, "members": []}
        programs = self.temp_dir()
        stub = programs / "proxysql-pulse"
        for is_self, answer in ((False, "nothing broken: this node is not the leader"), (True, "a beat")):
            said["leader"]["is_self"] = is_self
            stub.write_text(f"#!/bin/sh\ncat << 'END'\n{json.dumps(said, indent=2)}\nEND\n")
            stub.chmod(0o755)
            self.assertIn(answer, run(JOBS / "chaos", "--break-things", "--calm", "1", "--seconds", "1", "beat",
                                      env={"PULSE_JOB": "chaos", "PATH": f"{programs}:/usr/bin:/bin"}))

    def test_the_admin_interface_comes_back_by_itself(self):
        with self.server("--this-node-alone", "--seconds", "3", "--calm", "3", "admin") as server:
            job = server.start_job("chaos")
            self.assertTrue(eventually(lambda: "hangs the admin interface for 3 s" in server.log()))
            self.assertTrue(eventually(lambda: server.ask("SELECT 1", timeout=0.5) is None), "it hangs")
            job.kill()  # and its command with it
            self.assertEqual([["1"]], server.ask("SELECT 1", timeout=10))
            self.assertTrue(eventually(server.beat))
            self.assertIn("hangs the admin interface for 3 s", server.job("chaos"))
            self.assertEqual([["1"]], server.ask("SELECT 1", timeout=5))
            self.assertEqual("the admin interface answers again", server.report("chaos")["last_line"])

    def test_a_session_that_rests_is_closed(self):
        with self.server("--this-node-alone", "session") as server:
            self.assertIn("nothing broken: no session rests", server.job("chaos"))
            with server.resting_client() as client:
                self.assertRegex(server.job("chaos"), r"closed session \d+")
                self.assertTrue(eventually(lambda: not server.ask("SELECT SessionID FROM stats_mysql_processlist")))
                self.assertIsNone(client.poll(), "it notices with its next statement")

    def test_a_daemon_is_killed_where_it_is_started_again(self):
        with self.server("--this-node-alone", "daemon") as server, self.server("beat") as other:
            others = self.start_daemon(other)
            self.assertIn("not one daemon of this node is seen", server.job("chaos"))
            daemon = self.start_daemon(server)
            self.assertTrue(eventually(lambda: "is usable" in server.log() or "answering" in server.log()))
            self.assertIn("nobody would start it again", server.job("chaos"))
            self.assertIsNone(daemon.poll())
            server.write({"chaos": (["chaos", "--break-things", "--calm", "1", "--seconds", "1", "--this-node-alone",
                                     "--restarted-by", ":", "daemon"], "timeout_ms = 30000")})
            job = server.start_job("chaos")
            self.assertEqual(-signal.SIGKILL, daemon.wait(timeout=PATIENCE_S), server.log())
            again = self.start_daemon(server)
            self.assertEqual(0, job.wait(timeout=PATIENCE_S), server.log())
            self.assertIn(f"the daemon was started again: {again.pid}", server.log())
            self.assertIsNone(others.poll())

    def test_of_two_that_begin_at_a_time_one_acts_at_most(self):
        """Whoever may: here both may, for nobody asks who leads."""
        port = free_port("127.0.0.3")
        lines = f'daemon = {{ port = {port} }}  discovery = {{ source = "static"  members = ["127.0.0.2", "127.0.0.3"] }}'
        words = ("--this-node-alone", "--calm", "5", "beat")
        with self.server(*words, pulse_lines=lines, address="127.0.0.2") as one, \
                self.server(*words, pulse_lines=lines, address="127.0.0.3") as other:
            for server in (one, other):
                self.start_daemon(server, PULSE_ADDRESS=server.address, PULSE_DAEMON_PORT=str(port))
            for server in (one, other):
                self.assertTrue(eventually(lambda: len(server.status()["members"]) == 2), server.log())
            jobs = [server.start_job("chaos") for server in (one, other)]
            for job, server in zip(jobs, (one, other)):
                self.assertEqual(0, job.wait(timeout=PATIENCE_S), server.log())
            said = [server.report("chaos")["last_line"] for server in (one, other)]
            # The first to look sees the other one; that one may have ended when the second looks.
            self.assertLessEqual(sum("a beat" in line for line in said), 1, said)
            self.assertTrue(any("runs this job" in line for line in said), said)

    def test_nothing_while_anybody_is_unwell(self):
        port = free_port("127.0.0.3")
        lines = f'daemon = {{ port = {port} }}  discovery = {{ source = "static"  members = ["127.0.0.2", "127.0.0.3"] }}'
        with self.server("--this-node-alone", "beat", pulse_lines=lines, address="127.0.0.2") as server:
            self.start_daemon(server, PULSE_ADDRESS="127.0.0.2", PULSE_DAEMON_PORT=str(port))
            self.assertTrue(eventually(lambda: len(server.status()["members"]) == 2), server.log())
            self.assertRegex(server.job("chaos"), r"nothing broken: .* doesn't answer")
            with Member("127.0.0.3", port) as member:
                self.assertRegex(server.job("chaos"), "killed a beat|a beat had ended")
                for change, said in (({"state": "admin_unresponsive"}, "isn't well: admin_unresponsive"),
                                     ({"status": "unhealthy"}, "isn't well"), ({"running": True}, "runs this job")):
                    before = dict(member.__dict__)
                    member.__dict__.update(change)
                    self.assertRegex(server.job("chaos"), f"nothing broken: .* {said}")
                    member.__dict__.update(before)
            run(BUILD / "bin/proxysql-pulse", "maintenance", "on", f"--config={server.config}")
            self.assertIn("nothing broken: this node isn't well: maintenance", server.job("chaos"))


if __name__ == "__main__":
    unittest.main()
