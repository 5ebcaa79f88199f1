"""A ProxySQL with its beat and its daemon on a loopback address, in the place of a pod."""
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess

from support import BUILD, PATIENCE_S, eventually, free_port

PROXYSQL = os.environ.get("PROXYSQL_BIN") or str(BUILD / "bin/proxysql-double")
# What lets the double be a ProxySQL that syncs PostgreSQL's modules.
AS_VERSION_3 = [] if os.environ.get("PROXYSQL_BIN") else ["--proxysql-version", "3.0.7"]


def has_postgresql():
    """Whether ProxySQL is one of version 3, or can be."""
    if AS_VERSION_3:
        return True
    said = subprocess.run([PROXYSQL, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    return int(re.search(r"version (\d+)", said).group(1)) >= 3


class Started:
    """Processes of a test, ended by pid when it goes; their output in one file."""

    def __init__(self, test):
        self.test = test
        self.dir = test.temp_dir()
        self.processes = []

    def start(self, argv, **options):
        with open(self.dir / "log", "a", encoding="utf-8") as log:
            process = subprocess.Popen([str(arg) for arg in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       **options)
        self.processes.append(process)
        return process

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


class Api(Started):
    """The Kubernetes API double."""

    def __init__(self, test):
        super().__init__(test)
        self.port = free_port()
        self.account = self.dir / "account"
        self.start([BUILD / "bin/kubernetes-double", "--account", self.account, "--control", self.dir / "control",
                    "--port", self.port, "--port-file", self.dir / "port", "--die-with-parent"])
        test.assertTrue(eventually((self.dir / "port").exists), self.log())

    def pod(self, name, address, labels):
        told = ",".join(f"{key}:{value}" for key, value in labels.items())
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(PATIENCE_S)
            control.connect(str(self.dir / "control"))
            control.sendall(f"pod {name} ip={address} labels={told}\n".encode())
            self.test.assertIn('"ok":true', control.recv(4096).decode())


class Node(Started):
    """`text` is the proxysql.cnf; addresses, ports and paths in it are changed to this node's, and nothing else. `command`
    is a container's; proxysql in it is the double, or the real one that PROXYSQL_BIN names."""

    def __init__(self, test, text, address, admin_port, mysql_port, core="127.0.0.1",
                 command=("proxysql", "-f", "-c", "/etc/proxysql.cnf", "-D", "/var/lib/proxysql", "--no-version-check")):
        super().__init__(test)
        self.address, self.admin_port, self.mysql_port = address, admin_port, mysql_port
        self.pgsql_port = free_port(address)
        self.config, self.state = self.dir / "proxysql.cnf", self.dir / "state"
        data = self.dir / "data"
        data.mkdir()
        for old, new in ((r'"0\.0\.0\.0:6032"', f'"{address}:{admin_port}"'),
                         (r'"0\.0\.0\.0:6033"', f'"{address}:{mysql_port}"'),
                         (r'"0\.0\.0\.0:6133"', f'"{address}:{self.pgsql_port}"'),
                         (r'hostname = "proxysql-core"  port = 6032', f'hostname = "{core}"  port = {admin_port}'),
                         (r'filename = "/\S*/proxysql-pulse"  arg1 = "beat"',
                          f'filename = "{BUILD}/bin/proxysql-pulse"  arg1 = "beat"  arg2 = "--config"  '
                          f'arg3 = "{self.config}"  arg4 = "--state"  arg5 = "{self.state}"'),
                         (r'group = "999"', f'group = "{os.getgid()}"'),
                         (r"/var/lib/proxysql", str(data)),
                         (r"interval_ms = 2000", "interval_ms = 500"),
                         (r"interval_ms = 30000", "interval_ms = 500"),
                         (r"check_interval_ms = 1000", "check_interval_ms = 200")):
            text, count = re.subn(old, new, text)
            test.assertLessEqual(count, 1, old)
        test.assertNotIn("0.0.0.0", text, "nothing but loopback")
        self.config.write_text(text)
        paths = {"proxysql": PROXYSQL, "/etc/proxysql.cnf": str(self.config), "/var/lib/proxysql": str(data)}
        words = [paths.get(word, word) for word in command]
        if "pgsql_variables" in text:
            words += AS_VERSION_3
        self.proxysql = self.start(words, env={"PATH": "/usr/bin:/bin"})

    def start_daemon(self, variables, api):
        """`variables` are the env of a container."""
        environment = {}
        for variable in variables:
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            environment[variable["name"]] = {"status.podIP": self.address}[field] if field else variable["value"]
        self.port = free_port(self.address)
        environment |= {"PULSE_DAEMON_LISTEN_ADDRESS": self.address, "PULSE_DAEMON_PORT": str(self.port),
                        "PULSE_DISCOVERY_KUBERNETES_API": f"https://127.0.0.1:{api.port}",
                        "PULSE_DISCOVERY_KUBERNETES_SERVICE_ACCOUNT": str(api.account)}
        self.pulsed = self.start([BUILD / "bin/proxysql-pulsed", f"--config={self.config}", f"--state={self.state}"],
                                 env=environment)

    def listens(self, port):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.address, port)) == 0

    def get(self, path):
        """The status and the JSON of an answer; 0 and nothing if there is none."""
        try:
            with contextlib.closing(http.client.HTTPConnection(self.address, self.port, timeout=5)) as connection:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, {}

    def servers(self):
        return [row["hostname"] for row in self.get("/status")[1]["proxysql"]["proxysql_servers"]]
