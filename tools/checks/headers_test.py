"""Every header compiles alone.

A header that some source file includes first is shown by that source's own
compile. The others are compiled here, each in a file that holds nothing else."""

import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile

from tools.checks import workspace
from tools.include_scanner import scanner

root = workspace.root()
files = scanner.read_tree(root)
headers = scanner.not_included_first(files)
tree = scanner.Scanner(files, None)

with tempfile.TemporaryDirectory() as generated:
    protos = sorted(os.path.relpath(p, root) for p in glob.glob(root + "/proto/*.proto"))
    subprocess.run(["/usr/bin/protoc", "-I.", "--cpp_out=" + generated, "--grpc_out=" + generated,
                    "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin"] + protos, cwd=root, check=True)

    def compile_alone(header):
        if any(i.startswith(("torch/", "ATen/", "c10/")) for i in tree.closure(header)):
            return "%s: uses LibTorch; include it first in a source file of its own, that is checked at no cost" % header
        done = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-w", "-I", root, "-I", generated,
                               "-include", header, "-x", "c++", "/dev/null"], cwd=root, capture_output=True, text=True,
                              check=False)
        return "" if done.returncode == 0 else "%s does not compile alone:\n%s" % (header, done.stderr[:2000])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems = [p for p in pool.map(compile_alone, headers) if p]
print("\n".join(problems))
print("%d headers compiled alone, %d problems" % (len(headers), len(problems)))
sys.exit(1 if problems else 0)
