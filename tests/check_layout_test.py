#!/usr/bin/env python3
"""Each rule of scripts/check-layout, broken once in a small tree of its own."""
import os
import subprocess
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../scripts/check-layout")
GOOD = {
    "scripts/test": "#!/bin/sh\nrun-clang-tidy-14 \\\n  '/(daemon|shm)/([a-z_]+/)?[a-z_]+\\.cc$'\n",
    "scripts/coverage": "decisions='(shm/(record|segment)/[a-z_]+'\ndecisions+='|daemon/main)\\.(cc|h)$'\n",
    "scripts/order-beat": 'ROOT = "/"\nSCRIPT = ROOT + "/scheduler/beat/beat.ld"\n',
    ".clang-tidy": "HeaderFilterRegex: '/(shm)/([^/]+/)*[^/]+\\.h$'\n",
    "scheduler/beat/beat.ld": "",
    "daemon/main.cc": '#include "shm/record/a.h"\n#include "src/base/a.h"\n',
    "shm/record/a.h": '#include "src/config/a.h"\n',
    "shm/segment/a.cc": '#include "shm/record/a.h"\n',
    "src/base/a.h": "#include <string>\n",
    "src/config/a.h": '#include "src/base/a.h"\n',
    "scheduler/admin/a.cc": "#include <mysql.h>\n",
}


class CheckLayout(unittest.TestCase):
    def check(self, changes, expected):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changes}.items():
                if text is None:
                    continue
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w") as file:
                    file.write(text)
            ran = subprocess.run([CHECK, root], capture_output=True, text=True)
        self.assertEqual("", ran.stderr)
        self.assertEqual(1 if expected else 0, ran.returncode, ran.stdout)
        self.assertEqual(len(expected), len(ran.stdout.splitlines()), ran.stdout)
        for line in expected:
            self.assertIn(line, ran.stdout)

    def test_a_good_tree_passes(self):
        self.check({}, [])

    def test_who_may_include_whom(self):
        for path, included in (
            ("src/config/b.h", "shm/record/a.h"),
            ("src/base/b.h", "src/config/a.h"),
            ("shm/record/b.h", "scheduler/run/a.h"),
            ("scheduler/run/b.cc", "daemon/http/a.h"),
            ("daemon/b.cc", "scheduler/run/a.h"),
            ("daemon/b.cc", "tests/loopback.h"),
        ):
            self.check({path: f'#pragma once\n#include "{included}"\n'}, [f"{path}:2: {path[:4]}"])

    def test_mysql_is_in_one_room(self):
        for included in ("<mysql.h>", "<mariadb/mysql.h>"):
            self.check({"scheduler/run/b.cc": f"#include {included}\n"},
                       ["scheduler/run/b.cc:1: only scheduler/admin/ may include mysql.h"])

    def test_a_long_file_says_why(self):
        long = "int a;\n" * 451
        self.check({"shm/record/b.cc": long[:-7]}, [])
        self.check({"shm/record/b.cc": long}, ["shm/record/b.cc:451: a product file"])
        self.check({"shm/record/b.cc": "// Longer than 450 lines because it is a table.\n" + long}, [])
        self.check({"tests/b.cc": long}, [])

    def test_lines_have_120_columns(self):
        wide = "x" * 60 + " " + "y" * 60 + "\n"
        for path, text in (("tests/b.cc", wide), ("a.yml", wide), ("scripts/b", "#!/bin/sh\n" + wide)):
            self.check({path: text}, [f"{path}:{text.count(chr(10))}: a line has at most 120 columns, this one 121"])
        self.check({"a.yml": "# https://" + "x" * 120 + "\n", "a.txt": wide}, [])

    def test_patterns_match_files(self):
        self.check({"shm/segment/a.cc": None}, ["scripts/coverage:1: no file is matched by", "scripts/test:3: no file"])
        self.check({"scheduler/beat/beat.ld": None}, ["scripts/order-beat:2: there is no scheduler/beat/beat.ld"])
        self.check({"shm/record/a.h": None, "daemon/main.cc": "\n"},
                   [".clang-tidy:1: no file is matched by", "scripts/coverage:1: no file is matched by"])


unittest.main()
