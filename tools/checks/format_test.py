"""Every C++ file is as clang-format writes it."""

import subprocess
import sys

from tools.checks import workspace

paths = [p for p in workspace.files((".h", ".cc", ".cu")) if not p.startswith("third_party/")]
assert paths, "no C++ file found: the check looks in the wrong place"
result = subprocess.run(["clang-format-19", "--dry-run", "-Werror"] + paths, cwd=workspace.root(),
                        capture_output=True, text=True, check=False)
wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "error:" in line})
if result.returncode:
    print(result.stderr if not wrong else "not formatted; run: clang-format-19 -i " + " ".join(wrong))
sys.exit(result.returncode)
