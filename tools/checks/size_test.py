"""The tree keeps to size_rules.py."""

import os
import sys

from tools.checks import size_rules
from tools.checks import workspace

found, seen = [], 0
for path in workspace.files((".h", ".cc", ".cu")):
    if path.startswith("third_party/"):
        continue
    with open(os.path.join(workspace.root(), path), encoding="utf-8") as f:
        found += size_rules.problems(path, f.read())
    seen += 1
print("\n".join(found))
print("%d files, %d problems" % (seen, len(found)))
sys.exit(1 if found or not seen else 0)
