"""What `tools/bench` does with a name, in a tree of two benchmarks and a folder that is none."""

import os
import shutil
import stat
import subprocess
import tempfile
import unittest

BAZEL = """#!/bin/sh
if [ "$1" = info ]; then echo "$PWD/built"; else echo "bazel $*"; fi
"""
BENCHMARK = """#!/bin/sh
echo "measured $*"
"""


class BenchCommandTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bench_command_")
        self.addCleanup(shutil.rmtree, self.folder)
        os.makedirs(os.path.join(self.folder, "tools"))
        shutil.copy("tools/bench", os.path.join(self.folder, "tools", "bench"))
        for name in ("alpha", "beta"):
            self.write(os.path.join("benchmarks", name, name + ".cc"), "")
            self.write(os.path.join("built", "benchmarks", name, name), BENCHMARK)
        # As benchmarks/support: the last one, and no benchmark.
        self.write(os.path.join("benchmarks", "zeta", "load.cc"), "")
        self.write(os.path.join("bin", "bazel"), BAZEL)

    def write(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)

    def bench(self, *args):
        path = os.path.join(self.folder, "bin") + ":" + os.environ["PATH"]
        return subprocess.run([os.path.join(self.folder, "tools", "bench"), *args], timeout=60,
                              env={**os.environ, "PATH": path}, capture_output=True, text=True,
                              check=False)

    def test_every_benchmark_is_listed_built_and_run_with_the_arguments_given(self):
        self.assertEqual(self.bench("--list").stdout, "alpha\nbeta\n")
        for name in ("alpha", "beta"):
            result = self.bench(name, "--rounds", "3", "--json")
            self.assertEqual(result.returncode, 0, result)
            self.assertIn("bazel build //benchmarks/" + name, result.stdout)
            self.assertIn("measured --rounds 3 --json", result.stdout)

    def test_another_name_is_refused_with_those_that_there_are(self):
        for args in (("zeta",), ("alpha beta",), ("",), ()):
            result = self.bench(*args)
            self.assertEqual(result.returncode, 2, result)
            self.assertIn("there are: alpha beta", result.stderr)
        self.assertIn("one name at a time", self.bench("alpha", "beta").stderr)


if __name__ == "__main__":
    unittest.main()
