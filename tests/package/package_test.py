"""The Debian package: what is in it, that it installs, starts and goes away again without a trace."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from support import BUILD, SOURCE, TestCase, pulse, run

UNIT = "usr/lib/systemd/system/proxysql-pulsed.service"
DRAIN_UNIT = "usr/lib/systemd/system/proxysql-pulse-drain.service"
MANUALS = {"proxysql-pulse": "proxysql-pulse.1", "proxysql-pulsed": "proxysql-pulsed.8"}


def files_below(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


class Package(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="pulse-package."))
        cls.addClassCleanup(shutil.rmtree, cls.made)
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-G", "DEB", "-B", cls.made)
        (cls.deb,) = cls.made.glob("*.deb")
        cls.tree = cls.made / "tree"
        run("dpkg-deb", "--raw-extract", cls.deb, cls.tree)
        cls.unit = (cls.tree / UNIT).read_text()

    def field(self, name):
        return run("dpkg-deb", "--field", self.deb, name).strip()

    def of_unit(self, key):
        return re.search(rf"^{key}=(.*)$", self.unit, re.M).group(1)

    def test_contents(self):
        documents = {name for name in files_below(SOURCE / "docs") if not name.startswith("man/")}
        self.assertGreater(len(documents), 5)
        expected = {"usr/bin/proxysql-pulse", "usr/bin/proxysql-pulsed", UNIT, DRAIN_UNIT,
                    "usr/share/man/man1/proxysql-pulse.1.gz",
                    "usr/share/man/man8/proxysql-pulsed.8.gz", "usr/share/lintian/overrides/proxysql-pulse"}
        doc = "usr/share/doc/proxysql-pulse/"
        expected |= {doc + name for name in ("README.md", "CHANGELOG.md", "changelog.gz", "copyright")}
        expected |= {doc + "docs/" + name for name in documents}
        expected |= {doc + "examples/" + name for name in files_below(SOURCE / "proxysql-config")
                     if not name.startswith(("systemd/proxysql-pulse", "jobs/")) and not name.endswith(".gitignore")}
        jobs = "usr/share/proxysql-pulse/jobs/"
        expected |= {jobs + name for name in files_below(SOURCE / "proxysql-config/jobs")}
        listed = subprocess.run(["dpkg-deb", "--fsys-tarfile", self.deb], stdout=subprocess.PIPE, check=True).stdout
        archive = self.made / "files.tar"
        archive.write_bytes(listed)
        with tarfile.open(archive) as tar:
            members = [member for member in tar.getmembers() if not member.isdir()]
        self.assertEqual(expected, {member.name.removeprefix("./") for member in members})
        for member in members:
            self.assertEqual(("root", "root"), (member.uname, member.gname), member.name)
            program = "/bin/" in member.name or (jobs in member.name and not member.name.endswith(".cnf"))
            self.assertEqual(0o755 if program else 0o644, member.mode, member.name)

    def test_depends_on_what_is_listed(self):
        listed = (SOURCE / "scripts/packages.txt").read_text()
        runtime = re.search(r"^\[runtime\]\n(.*?)(?=^\[|\Z)", listed, re.M | re.S).group(1)
        needed = {line for line in runtime.splitlines() if line and not line.startswith("#")}
        depends = {entry.split()[0] for entry in self.field("Depends").split(",")}
        self.assertEqual(needed | {"libc6", "libgcc-s1", "libstdc++6"}, depends)
        self.assertNotIn("INTERP", run("readelf", "-lW", self.tree / "usr/bin/proxysql-pulse"), "not static")

    def test_bill_of_materials(self):
        bill = json.loads(run(SOURCE / "scripts/sbom", BUILD))
        self.assertEqual(("CycloneDX", "1.5"), (bill["bomFormat"], bill["specVersion"]))
        told = {component["name"]: component for component in bill["components"]}
        for name, use in (("libmariadb-dev", "static"), ("libssl-dev", "static"),
                          ("nlohmann-json3-dev", "headers"), ("libspdlog-dev", "headers"), ("libcxxopts-dev", "headers"),
                          ("libcpp-httplib0.11", "shared"), ("libc-ares2", "shared"), ("libssl3", "shared")):
            uses = next(one["value"] for one in told[name]["properties"] if one["name"] == "use")
            self.assertIn(use, uses.split(), name)
            self.assertEqual(run("dpkg-query", "-W", "-f", "${Version}", name), told[name]["version"])
        # What is built with and not built in.
        self.assertEqual(set(), {"cmake", "g++", "libgtest-dev", "libsqlite3-dev", "libgmock-dev"} & set(told))

    def test_lintian(self):
        # It leaves files in its temporary directory.
        self.assertEqual("", run("env", f"TMPDIR={self.made}", "lintian", "--allow-root", "--fail-on", "error,warning", self.deb))

    def test_manuals_say_what_help_says(self):
        for program, page in MANUALS.items():
            source = SOURCE / "docs/man" / page
            run("mandoc", "-Tlint", "-Wwarning", source)
            text = run("mandoc", "-Tascii", source)
            text = re.sub(".\b", "", text)
            usage = run(BUILD / "bin" / program, "--help")
            # The part between "Commands:" and the empty line after it.
            commands = re.search(r"Commands:\n(.*?)\n\n", usage, re.S)
            words = re.findall(r"^  ([a-z][a-z-]*)", commands.group(1), re.M) if commands else []
            usage += "".join(run(BUILD / "bin" / program, word, "--help") for word in words)
            options = set(re.findall(r"--[a-z][a-z-]*", usage))
            self.assertGreater(len(options), 5)
            for word in sorted(options | set(words)):
                self.assertTrue(re.search(rf"(?<![\w-]){word}(?![\w-])", text), f"{page} doesn't tell of {word}")
            for code in re.findall(r"(?:codes:|;)\s+(\d+) ", usage):
                self.assertTrue(re.search(rf"^ +{code} ", text, re.M), f"{page} doesn't tell of exit code {code}")
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text.split("\nEXAMPLES\n")[0])):
                self.assertTrue(option in usage, f"{page} tells of {option}, which --help doesn't know")

    def test_unit(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze isn't installed")
        root = self.made / "verified"
        for name in ("usr/bin/proxysql-pulsed", "usr/bin/proxysql-pulse", "bin/grep", "bin/true"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("")
            (root / name).chmod(0o755)
        shutil.copytree(self.tree / "usr/lib/systemd", root / "usr/lib/systemd")
        said = run("systemd-analyze", f"--root={root}", "verify", "--man=no", "--recursive-errors=no",
                   "proxysql-pulsed.service", "proxysql-pulse-drain.service")
        self.assertNotIn("proxysql-pulsed.service", said)
        self.assertNotIn("proxysql-pulse-drain.service", said)
        drain = (self.tree / DRAIN_UNIT).read_text()
        # Stopped with ProxySQL and before it; never with the daemon.
        self.assertRegex(drain, r"(?m)^PartOf=proxysql.service$")
        self.assertRegex(drain, r"(?m)^After=.*proxysql.service$")
        self.assertNotIn("proxysql-pulsed.service", drain)
        # 0 is no exposure, 100 is all of it.
        run("systemd-analyze", "security", "--offline=yes", "--threshold=25", self.tree / UNIT)
        # Each of these would cut the daemon off from what it reads, or remove the segment: the unit says why.
        for harmful in ("ProtectProc", "ProcSubset", "PrivateTmp", "PrivateUsers", "PrivateNetwork", "RemoveIPC",
                        "ProtectKernelTunables", "ProtectControlGroups", "KillMode=mixed", "DynamicUser"):
            self.assertNotRegex(self.unit, rf"(?m)^{harmful}")

    def test_the_unit_outlasts_a_drain(self):
        with_defaults = self.temp_dir() / "proxysql.cnf"
        with_defaults.write_text('pulse = { role = "core" }')
        least = int(re.search(r"terminationGracePeriodSeconds must be (\d+) or more",
                              pulse("check-config", f"--config={with_defaults}")).group(1))
        self.assertGreater(int(self.of_unit("TimeoutStopSec")), least)

    def test_the_unit_starts_with_the_group_alone(self):
        command = re.fullmatch(r'/bin/grep -Eq "(.*)" /etc/proxysql\.cnf', self.of_unit("ExecCondition"))
        self.assertIsNotNone(command)
        for line, starts in (('pulse = { role = "core" }', True), ("pulse=", True), ("  pulse :\n{", True),
                             ('@include "pulse.cnf"', True), ("# pulse = {", False), ("// pulse = {", False),
                             ("impulse = 1", False), ("", False)):
            found = subprocess.run(["grep", "-Eq", command.group(1)], input=f"datadir = 1\n{line}\n", text=True,
                                   check=False).returncode == 0
            self.assertEqual(starts, found, line)

    def test_postinst_knows_the_layout(self):
        """A segment of another layout is removed on an upgrade, so it must know the program's own."""
        state = self.temp_dir() / "state"
        config = self.temp_dir() / "proxysql.cnf"
        config.write_text('pulse = { role = "core"  admin = { host = "/nowhere" } }')
        run(self.tree / "usr/bin/proxysql-pulse", "beat", f"--config={config}", f"--state={state}", expect=69)
        version = int.from_bytes(state.read_bytes()[8:12], "little")
        self.assertIn(f'!= "{version}" ]', (self.tree / "DEBIAN/postinst").read_text())

    def test_installs_and_purges_into_a_directory(self):
        root = self.temp_dir()
        for name in ("info", "updates", "triggers"):
            (root / "var/lib/dpkg" / name).mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text("")

        def dpkg(*action):
            run("dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "--force-depends",
                "--log=/dev/null", *action)

        def left():
            return {name for name in files_below(root) if not name.startswith("var/lib/dpkg/")}

        dpkg("--install", self.deb)
        dpkg("--install", self.deb)  # an upgrade
        for program in MANUALS:
            self.assertRegex(run(root / "usr/bin" / program, "--version"), rf"^{program} [0-9.]+\n$")
        wanted = {f"etc/systemd/system/{target}.wants/proxysql-pulsed.service"
                  for target in ("multi-user.target", "proxysql.service")}
        self.assertLessEqual(wanted, left())
        dpkg("--remove", "proxysql-pulse")
        self.assertEqual(set(), {name for name in left() if name.startswith("usr/")})
        dpkg("--purge", "proxysql-pulse")
        self.assertEqual(set(), left())

    @unittest.skipUnless(os.environ.get("CI") and os.geteuid() == 0, "changes this machine: in CI alone, as root")
    def test_installs_and_purges_with_apt(self):
        def installed():
            return set(run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n").splitlines())

        before = installed()
        if any(line.endswith(" proxysql-pulse") for line in before):
            self.skipTest("proxysql-pulse is installed here")
        quietly = dict(os.environ, DEBIAN_FRONTEND="noninteractive")

        def purge():
            added = [line.split()[-1] for line in installed() - before]
            if added:
                run("apt-get", "purge", "-qq", "-y", *added, env=quietly)

        self.addCleanup(purge)
        # A path and not a name, with all that it depends on.
        run("apt-get", "install", "-qq", "-y", "--no-install-recommends", self.deb, env=quietly)
        for program in MANUALS:
            self.assertRegex(run(f"/usr/bin/{program}", "--version"), rf"^{program} ")
        purge()
        self.assertEqual(before, installed())
        for place in ("/usr/bin", "/usr/share/doc", "/usr/share/man/man1", "/usr/share/man/man8", "/usr/lib/systemd/system",
                      "/etc/systemd/system", "/var/lib/systemd"):
            here = pathlib.Path(place)
            found = [str(path) for path in (here.rglob("*") if "systemd" in place else here.glob("*"))
                     if path.name.startswith("proxysql-pulse")]
            self.assertEqual([], found)


if __name__ == "__main__":
    unittest.main()
