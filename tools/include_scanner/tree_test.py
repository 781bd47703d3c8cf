"""No include in the tree breaks the table of rules.py."""

import sys

from tools.checks import workspace
from tools.include_scanner import rules
from tools.include_scanner import scanner

files = scanner.read_tree(workspace.root())
problems = scanner.Scanner(files, rules).violations()
print("\n".join(problems))
print("%d files, %d wrong includes" % (len(files), len(problems)))
if not files:
    print("no C++ file found below %s: the check looks in the wrong place" % workspace.root())
sys.exit(1 if problems or not files else 0)
