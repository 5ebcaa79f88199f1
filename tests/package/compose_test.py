"""proxysql-config/compose: the file is whole, refers to what is there, and its health check tells what it should."""
import os
import re
import signal
import unittest

import yaml

import manifests_test as manifests
from nodes import Node
from support import BUILD, SOURCE, TestCase, eventually, free_port, pulse, run, settings

FOLDER = SOURCE / "proxysql-config/compose"
# What Compose knows of a service, as far as this file uses it.
KEYS = {"image", "build", "command", "entrypoint", "user", "environment", "tmpfs", "depends_on", "healthcheck", "volumes",
        "ports", "network_mode", "read_only", "cap_drop", "security_opt", "stop_grace_period", "restart"}


class Compose(TestCase):
    @classmethod
    def setUpClass(cls):
        (cls.content,) = manifests.load(FOLDER / "docker-compose.yml")
        cls.services = cls.content["services"]
        cls.proxysqls = {name: one for name, one in cls.services.items() if one["image"].startswith("proxysql/")}
        cls.daemons = {name: one for name, one in cls.services.items() if "network_mode" in one}
        cls.databases = {name: one for name, one in cls.services.items() if one["image"].startswith("mariadb:")}
        cls.kustomization = manifests.render(manifests.BASE)

    def cnf_of(self, service):
        (path,) = [volume.split(":")[0] for volume in service["volumes"] if volume.endswith(":/etc/proxysql.cnf:ro")]
        return FOLDER / path

    def test_it_is_a_cluster_in_front_of_two_databases(self):
        self.assertEqual((3, 3, 2), (len(self.proxysqls), len(self.daemons), len(self.databases)))
        self.assertEqual(set(self.services), {*self.proxysqls, *self.daemons, *self.databases, "beat"})
        roles = sorted(settings(self.cnf_of(one))[0]["pulse.role"] for one in self.proxysqls.values())
        self.assertEqual(['"core"', '"core"', '"satellite"'], roles)

    def test_everything_it_names_is_there(self):
        self.assertEqual({"name", "services", "volumes"}, {key for key in self.content if not key.startswith("x-")})
        used = set()
        for name, service in self.services.items():
            self.assertLessEqual(set(service), KEYS, name)
            self.assertLessEqual(set(service.get("depends_on", {})), set(self.services), name)
            for other, condition in service.get("depends_on", {}).items():
                self.assertIn(condition["condition"], ("service_healthy", "service_completed_successfully"), name)
                if condition["condition"] == "service_healthy":
                    self.assertIn("test", self.services[other]["healthcheck"], other)
            if "network_mode" in service:
                self.assertIn(service["network_mode"].removeprefix("service:"), self.services, name)
            if "build" in service:
                self.assertTrue((FOLDER / service["build"] / "Dockerfile").exists(), name)
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((FOLDER / source).is_file(), f"{name}: {volume}")
                    self.assertTrue(volume.endswith(":ro"), f"{name}: {volume}")
                else:
                    used.add(source)
        self.assertEqual(set(self.content["volumes"]), used)
        mounted = {volume.split(":")[0].removeprefix("./") for one in self.services.values() for volume in one.get("volumes", [])}
        self.assertEqual({path.name for path in FOLDER.iterdir()}, {name for name in mounted if "." in name} | {"docker-compose.yml"})

    def test_each_proxysql_has_its_daemon(self):
        for name, service in self.proxysqls.items():
            (daemon,) = [one for one in self.daemons.values() if one["network_mode"] == f"service:{name}"]

            def state(one):
                return [volume.split(":")[0] for volume in one["volumes"] if volume.endswith(":/dev/shm")]

            self.assertEqual([f"{name}-state"], state(service))
            self.assertEqual(state(service), state(daemon))
            self.assertEqual(self.cnf_of(service), self.cnf_of(daemon))
            known = settings(self.cnf_of(service))[0]
            group = known["pulse.group"].strip('"')
            self.assertEqual([group, group], [one["user"].split(":")[1] for one in (service, daemon)])
            self.assertIn(f"gid={group}", self.content["volumes"][f"{name}-state"]["driver_opts"]["o"])
            self.assertEqual("/dev/shm/", known["pulse.state"].strip('"')[:9])
            # Its beat comes out of the volume that the service beat fills.
            (target,) = [volume.split(":")[1] for volume in service["volumes"] if volume.startswith("pulse:")]
            self.assertEqual([f"pulse:{target}"], self.services["beat"]["volumes"])
            self.assertIn(f'filename = "{target}/proxysql-pulse"', self.cnf_of(service).read_text())
            self.assertEqual("service_completed_successfully", service["depends_on"]["beat"]["condition"])

    def test_as_the_manifests_have_it(self):
        core = next(one for one in self.kustomization if one["kind"] == "Deployment")
        container = manifests.container(core, "proxysql")
        beat = manifests.container(core, "beat")
        self.assertEqual(beat["command"], self.services["beat"]["entrypoint"])
        self.assertEqual([f"pulse:{manifests.mount_of(beat, 'pulse')}"], self.services["beat"]["volumes"])
        variables = {one["name"]: one["value"] for one in container["env"]}
        self.assertEqual({"MALLOC_CONF": "thp:always"}, variables)
        for name, service in self.proxysqls.items():
            self.assertEqual(variables, service["environment"], name)
            self.assertEqual(container["command"], service["command"], name)
            self.assertEqual(container["image"], service["image"], name)
            self.assertEqual(str(container["securityContext"]["runAsUser"]), service["user"].split(":")[0])
        for name, service in {**self.daemons, "beat": self.services["beat"]}.items():
            self.assertEqual(f"proxysql-pulse:{pulse('--version').split()[1]}", service["image"], name)
        for name, service in self.daemons.items():
            self.assertEqual(str(manifests.container(core, "pulsed")["securityContext"]["runAsUser"]),
                             service["user"].split(":")[0], name)

    def test_every_service_that_stays_is_looked_at(self):
        for name, service in self.services.items():
            if name in self.daemons:
                self.assertEqual({"disable": True}, service["healthcheck"], name)
            elif name != "beat":
                self.assertEqual("CMD", service["healthcheck"]["test"][0], name)
                self.assertEqual("unless-stopped", service["restart"], name)

    def test_ports_are_published_on_loopback_alone(self):
        listed = [port for service in self.services.values() for port in service.get("ports", [])]
        self.assertIn("127.0.0.1:6033:6033", self.proxysqls["satellite"]["ports"])
        for port in listed:
            self.assertRegex(port, r"^127\.0\.0\.1:\d+:(6033|8080)$")
        self.assertEqual(len(listed), len({port.split(":")[1] for port in listed}))

    def test_hosts_are_services_and_users_are_there(self):
        core, satellite = ((FOLDER / name).read_text() for name in ("core.cnf", "satellite.cnf"))
        cores = {name for name, one in self.proxysqls.items() if self.cnf_of(one).name == "core.cnf"}
        for text in (core, satellite):
            self.assertEqual(cores, set(re.findall(r'hostname = "([^"]*)"', text)))
        self.assertEqual(set(self.databases), set(re.findall(r'address = "([^"]*)"', core)))
        users = dict(re.findall(r"CREATE USER '(\w+)'@'%' IDENTIFIED BY '(\w+)'", (FOLDER / "users.sql").read_text()))
        wanted = dict(re.findall(r'monitor_(?:username|password) = "(\w+)"\s+monitor_password = "(\w+)"', core))
        wanted |= dict(re.findall(r'username = "(app)"  password = "(\w+)"', core))
        self.assertEqual(2, len(wanted))
        self.assertEqual(wanted, users)
        # One of the two is written to.
        written, read = self.databases["mariadb-1"], self.databases["mariadb-2"]
        self.assertEqual((False, True), ("--read-only" in written["command"], "--read-only" in read["command"]))
        self.assertEqual("mariadb-1", read["environment"]["MARIADB_MASTER_HOST"])
        for key in ("MARIADB_REPLICATION_USER", "MARIADB_REPLICATION_PASSWORD"):
            self.assertEqual(written["environment"][key], read["environment"][key])

    def test_the_health_check(self):
        """As it is, but for the port, against a daemon."""
        text = (FOLDER / "core.cnf").read_text()
        text = re.sub(r'"0\.0\.0\.0:', '"127.0.0.1:', text)
        ports = {"6032": free_port(), "6033": free_port()}
        for old, new in ports.items():
            text = text.replace(f'"127.0.0.1:{old}"', f'"0.0.0.0:{old}"')
        with Node(self, text, "127.0.0.1", ports["6032"], ports["6033"]) as node:
            node.port = free_port()
            daemon = node.start([BUILD / "bin/proxysql-pulsed", f"--config={node.config}", f"--state={node.state}"],
                                env={"PULSE_DAEMON_PORT": str(node.port), "PULSE_DISCOVERY_SOURCE": "static",
                                     "PULSE_DISCOVERY_MEMBERS": "127.0.0.1"})
            words = [word.replace("/8080", f"/{node.port}") for word in self.proxysqls["core-1"]["healthcheck"]["test"][1:]]

            def healthy():
                return "healthy" if "exit code" not in run_quietly(words) else "not"

            self.assertTrue(eventually(lambda: node.get("/healthz/ready")[0] == 200), node.log())
            self.assertEqual("healthy", healthy())
            pulse("maintenance", "on", f"--config={node.config}", f"--state={node.state}")
            self.assertTrue(eventually(lambda: node.get("/healthz/ready")[0] == 503), node.log())
            self.assertEqual("not", healthy())
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=60)
            self.assertEqual("not", healthy())

    def test_the_command_that_the_documentation_tells(self):
        told = "docker compose -f proxysql-config/compose/docker-compose.yml up --build --detach"
        for page in ("docs/set-up.md", "proxysql-config/compose/docker-compose.yml"):
            self.assertIn(told, (SOURCE / page).read_text())


def run_quietly(words):
    try:
        return run(*words, env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")})
    except AssertionError as failed:
        return str(failed)


if __name__ == "__main__":
    unittest.main()
