"""What both tests stand on: where things are, programs run under a bound, temporary directories."""
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ["PULSE_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["PULSE_BUILD_DIR"])
PATIENCE_S = 60


def run(*argv, expect=0, **options):
    """Runs to the end, at most PATIENCE_S; returns stdout and stderr together. Fails on another exit code than `expect`
    (None: any)."""
    done = subprocess.run([str(arg) for arg in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S, check=False, **options)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def pulse(*argv, **options):
    return run(BUILD / "bin/proxysql-pulse", *argv, **options)


_ports = itertools.count(os.getpid() * 37)
_reserved = []  # sockets, until this ends


def free_port(address="127.0.0.1"):
    """Outside of the range from which the kernel gives ports to clients, and reserved, as tests/loopback.h does it."""
    for number in itertools.islice(_ports, 2000):
        port = 10000 + number % 18000
        reserved = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
                reserved.bind(f"\0proxysql-pulse.test-port.{port}")
            except OSError:
                reserved.close()
                continue
        _reserved.append(reserved)
        return port
    raise AssertionError("no free port")


def eventually(condition, patience_s=30):
    """Polls until `condition` returns something true, and returns it; the last value if it never does."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def settings(config_file, **options):
    """check-config's effective values as {key: text}, and its whole output."""
    output = pulse("check-config", f"--config={config_file}", **options)
    return dict(re.findall(r"^(pulse\.\S+)\s+= (.*?)\s+# ", output, re.M)), output


class TestCase(unittest.TestCase):
    maxDiff = None

    def temp_dir(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix="pulse-package."))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path
