"""The tree keeps to link_rules.py."""

import os
import sys

from tools.checks import link_rules
from tools.checks import workspace


def read(path):
    with open(os.path.join(workspace.root(), path), encoding="utf-8") as f:
        return f.read()


def exists(path):
    return os.path.exists(os.path.join(workspace.root(), path))


pages = workspace.files((".md",))
found = [problem for page in pages for problem in link_rules.problems(page, read(page), exists, read)]
print("\n".join(found))
print("%d pages, %d problems" % (len(pages), len(found)))
sys.exit(1 if found or not pages else 0)
