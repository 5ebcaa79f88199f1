"""An upgrade in place, and the way back: programs and segments of two versions meet, and nothing stops serving.

The other version is a segment with another layout. With PULSE_OLDER_BIN, a folder with the proxysql-pulse and the
proxysql-pulsed of an older version, it is that version's programs too."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from nodes import PROXYSQL, Started
from support import BUILD, PATIENCE_S, TestCase, eventually, free_port, run

IS_DOUBLE = not os.environ.get("PROXYSQL_BIN")
OLDER = os.environ.get("PULSE_OLDER_BIN")
PROGRAMS = ("proxysql-pulse", "proxysql-pulsed")
PASSWORD = "a-pass-word"


class Node(Started):
    """A ProxySQL whose scheduler starts the installed beat, with the installed daemon."""

    def __init__(self, test):
        super().__init__(test)
        self.bin, self.state, self.config = self.dir / "bin", self.dir / "state", self.dir / "proxysql.cnf"
        self.bin.mkdir()
        (self.dir / "data").mkdir()
        self.admin, self.mysql, self.port = free_port(), free_port(), free_port()
        self.daemon = None
        # Nothing that an older version doesn't know.
        self.config.write_text(f"""
pulse = {{ role = "satellite"  state = "{self.state}"  timeout_ms = 1500  daemon = {{ port = {self.port} }} }}
scheduler = ( {{ id = 1  active = 1  interval_ms = 500  filename = "{self.bin}/proxysql-pulse"  arg1 = "beat"
                 arg2 = "--config"  arg3 = "{self.config}" }} )
proxysql_servers = ( {{ hostname = "127.0.0.1"  port = 1  weight = 0  comment = "bootstrap" }} )
admin_variables = {{ admin_credentials = "admin2:{PASSWORD};cluster:cluster"  mysql_ifaces = "127.0.0.1:{self.admin}"
                     cluster_username = "cluster"  cluster_password = "cluster" }}
mysql_variables = {{ interfaces = "127.0.0.1:{self.mysql}"  monitor_enabled = "false" }}
mysql_servers = ( {{ address = "127.0.0.1"  port = 3306  hostgroup = 0 }} )
""")
        self.login = self.dir / "login.cnf"
        self.login.write_text(f"[client]\nuser=admin2\npassword={PASSWORD}\nhost=127.0.0.1\nport={self.admin}\n")
        self.login.chmod(0o600)

    def start_proxysql(self):
        words = [PROXYSQL, "-f", "-c", self.config, "-D", self.dir / "data", "--no-version-check"]
        if IS_DOUBLE:
            words += ["--die-with-parent"]
        self.start(words, env={"PATH": "/usr/bin:/bin"})

    def install(self, folder, *programs):
        """As dpkg does it: under another name, then in its place."""
        for program in programs or PROGRAMS:
            shutil.copy(pathlib.Path(folder) / program, self.bin / f"{program}.dpkg-new")
            os.replace(self.bin / f"{program}.dpkg-new", self.bin / program)

    def stop_daemon(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.test.assertEqual(0, self.daemon.wait(timeout=PATIENCE_S), self.log())
        self.daemon = None

    def restart_daemon(self):
        self.stop_daemon()
        self.daemon = self.start([self.bin / "proxysql-pulsed", f"--config={self.config}"],
                                 env={"PULSE_DAEMON_LISTEN_ADDRESS": "127.0.0.1"})
        self.test.assertTrue(eventually(lambda: self.get("/healthz/live")[0] != 0), self.log())

    def get(self, path):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return 0, {}

    def ask(self, statement):
        try:
            return run("mysql", f"--defaults-file={self.login}", "--batch", "--skip-column-names", "-e", statement).strip()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None

    def hang(self, seconds):
        """Every statement hangs for so long. Returns at once."""
        return self.start(["mysql", f"--defaults-file={self.login}", "-e", f"PULL VERSION MYSQL SERVERS 4000000000 {seconds}"])

    def layout(self):
        return int.from_bytes(self.state.read_bytes()[8:12], "little") if self.state.exists() else None

    def beats(self):
        found = 0
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += path.read_bytes().split(b"\0")[:2] == [f"{self.bin}/proxysql-pulse".encode(), b"beat"]
            except OSError:
                pass
        return found

    def postinst(self, layout):
        """What a package whose programs have this layout does when it is installed, but for the unit."""
        tools = self.dir / "tools"
        tools.mkdir(exist_ok=True)
        stubs = {name: "exit 1" for name in ("deb-systemd-helper", "deb-systemd-invoke", "systemctl")}
        stubs["runuser"] = '[ "$1 $2 $3" = "-u $(id -un) --" ] && shift 3 && exec "$@"'
        stubs["proxysql-pulse"] = f'exec {self.bin}/proxysql-pulse "$@" --config={self.config}'
        for name, text in stubs.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        text, count = re.subn(r"^state=/dev/shm/proxysql-pulse$", f"state={self.state}",
                              (BUILD / "packaging/postinst").read_text(), flags=re.M)
        self.test.assertEqual(1, count)
        text, count = re.subn(r'!= "\d+" ]', f'!= "{layout}" ]', text)
        self.test.assertEqual(1, count)
        script = self.dir / "postinst"
        # Nor is a systemd of this machine told anything.
        script.write_text(text.replace("/run/systemd/system", str(self.dir / "no-systemd")))
        return run("sh", script, "configure", env={"PATH": f"{tools}:/usr/bin:/bin"})


class Watch:
    """Asks for readiness, liveness and the MySQL port without a pause, and counts beats. A daemon that is being restarted
    may not answer; whatever does answer must be 200."""

    def __init__(self, node):
        self.node, self.wrong, self.answers, self.most_beats, self.ended = node, [], 0, 0, False
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.ended:
            for path in ("/healthz/ready", "/healthz/live"):
                status, body = self.node.get(path)
                self.answers += status == 200
                if status not in (0, 200):
                    self.wrong.append((path, status, body.get("message")))
            with socket.socket() as client:
                client.settimeout(5)
                if client.connect_ex(("127.0.0.1", self.node.mysql)) != 0:
                    self.wrong.append("the MySQL port")
            self.most_beats = max(self.most_beats, self.node.beats())
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()


class Upgrade(TestCase):
    def start(self, folder):
        node = self.enterContext(Node(self))
        node.install(folder)
        node.start_proxysql()
        node.restart_daemon()
        self.assertTrue(eventually(lambda: node.get("/healthz/ready")[0] == 200), node.log())
        self.assertTrue(eventually(lambda: node.layout() is not None), node.log())
        # Somebody's own, which must outlast everything.
        node.ask("INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES (7, '127.0.0.9', 3309)")
        node.ask("LOAD MYSQL SERVERS TO RUNTIME")
        return node

    def finish(self, node, watch):
        self.assertEqual([], watch.wrong[:5], node.log()[-3000:])
        self.assertGreater(watch.answers, 20)
        # One at a time is at work, and is gone by its timeout; those that come meanwhile go at once.
        self.assertLessEqual(watch.most_beats, 3)
        self.assertEqual("7", node.ask("SELECT hostgroup_id FROM runtime_mysql_servers WHERE hostname = '127.0.0.9'"))

    def heals(self, node):
        node.ask("DELETE FROM proxysql_servers")
        node.ask("LOAD PROXYSQL SERVERS TO RUNTIME")
        self.assertTrue(eventually(lambda: node.ask("SELECT port FROM runtime_proxysql_servers") == "1"), node.log())

    def hangs(self, node):
        done = subprocess.run([node.bin / "proxysql-pulse", "beat", "--dry-run", f"--config={node.config}"], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S)
        return done.returncode == 124

    def problem(self, node):
        return node.get("/status")[1].get("segment", {}).get("problem", "")

    def state(self, node):
        return node.get("/status")[1].get("state")

    def test_a_segment_of_another_layout(self):
        for name, version, size in (("an older one's", -1, -4096), ("a newer one's", 1, 4096)):
            with self.subTest(name):
                node = self.start(BUILD / "bin")
                own = node.layout()
                with Watch(node) as watch:
                    foreign = bytearray(node.state.read_bytes())
                    foreign = foreign[:len(foreign) + size] + bytes(max(size, 0))
                    foreign[8:16] = (own + version).to_bytes(4, "little") + len(foreign).to_bytes(4, "little")
                    other = node.dir / "other"
                    other.write_bytes(foreign)
                    other.chmod(0o600)
                    os.replace(other, node.state)
                    self.assertTrue(eventually(lambda: "has layout version" in self.problem(node)), node.log())
                    self.heals(node)
                    hung = node.hang(3)
                    self.assertEqual(0, hung.wait(timeout=PATIENCE_S), node.log())
                    self.heals(node)
                    node.restart_daemon()
                    self.assertIn("has layout version", self.problem(node))
                    self.assertEqual(bytes(foreign), node.state.read_bytes(), "the other version's, untouched")
                    # What the new package does then. The daemon that runs meanwhile is the other version's, which can't
                    # read what the new beat writes. Where the admin interface hangs, the segment stays, for nobody could
                    # say that this satellite has a configuration.
                    node.stop_daemon()
                    hung = node.hang(8)
                    self.assertTrue(eventually(lambda: self.hangs(node)), node.log())
                    said = node.postinst(own)
                    self.assertIn("admin interface doesn't answer", said)
                    self.assertIsNone(hung.poll(), "too late to tell")
                    self.assertEqual(bytes(foreign), node.state.read_bytes())
                    node.restart_daemon()
                    self.assertTrue(eventually(lambda: node.get("/healthz/ready")[0] == 200))
                    self.assertEqual(0, hung.wait(timeout=PATIENCE_S), node.log())
                    node.stop_daemon()
                    self.assertEqual("", node.postinst(own))
                    node.restart_daemon()
                    self.assertTrue(eventually(lambda: self.state(node) == "beating"), node.log())
                    self.assertEqual(own, node.layout())
                    self.heals(node)
                    # An upgrade that changes no layout keeps what is known.
                    before = node.state.stat().st_ino
                    node.postinst(own)
                    self.assertEqual(before, node.state.stat().st_ino)
                self.finish(node, watch)

    @unittest.skipUnless(OLDER, "PULSE_OLDER_BIN names no older version's programs")
    def test_with_the_older_versions_programs(self):
        node = self.start(OLDER)
        older = node.layout()
        with Watch(node) as watch:
            self.assertTrue(eventually(lambda: self.state(node) == "beating"), node.log())
            # The beat alone is new, for a while: dpkg has unpacked, and the daemon still runs.
            node.install(BUILD / "bin", "proxysql-pulse")
            self.heals(node)
            self.assertEqual(0, node.hang(2).wait(timeout=PATIENCE_S), node.log())
            self.heals(node)
            # Then the daemon.
            node.install(BUILD / "bin", "proxysql-pulsed")
            newer = self.layout_of(BUILD / "bin")
            node.postinst(newer)
            node.restart_daemon()
            self.assertTrue(eventually(lambda: self.state(node) == "beating"), node.log())
            self.assertEqual(newer, node.layout())
            self.heals(node)
            # Back: the other way round, the daemon first.
            node.install(OLDER, "proxysql-pulsed")
            node.restart_daemon()
            self.heals(node)
            node.install(OLDER, "proxysql-pulse")
            self.heals(node)
            node.postinst(older)
            node.restart_daemon()
            self.assertTrue(eventually(lambda: self.state(node) == "beating"), node.log())
            self.assertEqual(older, node.layout())
            self.heals(node)
        self.finish(node, watch)

    def layout_of(self, folder):
        """Of the segment that these programs make."""
        state, config = self.temp_dir() / "state", self.temp_dir() / "proxysql.cnf"
        config.write_text('pulse = { role = "core"  admin = { host = "/nowhere" } }')
        subprocess.run([folder / "proxysql-pulse", "beat", f"--config={config}", f"--state={state}"], check=False, timeout=PATIENCE_S,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return int.from_bytes(state.read_bytes()[8:12], "little")


if __name__ == "__main__":
    unittest.main()
