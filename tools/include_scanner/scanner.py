"""Follows #include lines through the tree and holds them against rules.py.

System headers lie in /usr/include, where every compile sees them: Bazel's
visibility cannot keep gRPC or SQLite in their rooms, so this does."""

import fnmatch
import os
import re

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
_SOURCES = (".h", ".hpp", ".cc", ".cu")


def read_tree(root):
    """Returns {path from root: text} of every C++ file; `out` and links are left out."""
    files = {}
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(s for s in subfolders if not s.startswith(".") and s != "out" and
                               not os.path.islink(os.path.join(folder, s)))
        for name in sorted(names):
            if name.endswith(_SOURCES):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    files[os.path.relpath(path, root)] = f.read()
    return files


def includes_of(text):
    return _INCLUDE.findall(text)


def is_test(path):
    return re.search(r"_(test|benchmark)\.(cc|h)$", path) is not None


def within(path, rooms):
    return any(path == r or path.startswith(r + "/") for r in rooms)


class Scanner:
    """files: {path from root: text}. rules: the module rules, or one like it."""

    def __init__(self, files, rules):
        self._rules = rules
        self._includes = {path: includes_of(text) for path, text in files.items()}

    def room(self, path):
        """The longest listed room that holds path, or None."""
        best = None
        for room in self._rules.LAYERS:
            if within(path, [room]) and (best is None or len(room) > len(best)):
                best = room
        # A folder below a role is a room of its own, and must be listed as one.
        if best in self._rules.PEERS and "/" in path[len(best) + 1:]:
            return None
        return best

    def layer(self, path):
        if path.endswith("_main.cc"):
            return self._rules.BINARIES
        room = self.room(path)
        return None if room is None else self._rules.LAYERS[room]

    def closure(self, path):
        """{include path: the chain of files from path that leads to it}."""
        found = {}
        waiting = [(path, [path])]
        while waiting:
            at, chain = waiting.pop(0)
            for include in self._includes.get(at, []):
                if include in found or include == path:
                    continue
                found[include] = chain
                waiting.append((include, chain + [include]))
        return found

    def violations(self):
        """One line for each include that the table forbids, sorted."""
        problems = set()
        for path in self._includes:
            if path.startswith("third_party/"):
                continue
            if self.layer(path) is None:
                problems.add("%s: its folder has no layer; give it one in tools/include_scanner/rules.py"
                             % path)
                continue
            problems.update(self._arrows(path))
            closure = self.closure(path)
            problems.update(self._only(path, closure))
            problems.update(self._never(path, closure))
        return sorted(problems)

    def _arrows(self, path):
        rules, own = self._rules, self.layer(path)
        for include in self._includes[path]:
            if include not in self._includes and not include.startswith("proto/"):
                continue
            if is_test(path) and within(include, rules.TEST_SUPPORT):
                continue
            other = self.layer(include)
            if other is not None and other > own:
                yield "%s (layer %d) includes %s (layer %d): arrows point down" % (path, own, include, other)
            mine, theirs = path.split("/")[0], include.split("/")[0]
            if (mine in rules.PEERS and theirs in rules.PEERS and mine != theirs and
                    not within(include, rules.PEER_DOORS)):
                yield "%s includes %s: %s and %s meet only through %s" % (
                    path, include, mine, theirs, " and ".join(rules.PEER_DOORS))

    def _only(self, path, closure):
        for rule in self._rules.ONLY:
            if within(path, rule.direct) or (rule.tests and is_test(path)):
                continue
            reach = within(path, rule.reach) or (
                self.layer(path) == self._rules.BINARIES and not within(path, rule.never))
            direct = within(path, ["tests", "benchmarks"])
            for include, chain in closure.items():
                if not self._matches(include, rule.headers):
                    continue
                if direct or (reach and len(chain) > 1):
                    continue
                yield "%s includes %s: %s belongs to %s" % (
                    " > ".join(chain), include, rule.what, ", ".join(rule.direct))

    def _never(self, path, closure):
        for rule in self._rules.NEVER:
            if not within(path, rule.rooms) or (rule.tests and is_test(path)):
                continue
            for include, chain in closure.items():
                if self._matches(include, rule.headers):
                    yield "%s includes %s: no %s in %s" % (" > ".join(chain), include, rule.what, self.room(path))

    @staticmethod
    def _matches(include, patterns):
        return any(fnmatch.fnmatchcase(include, p) for p in patterns)


def not_included_first(files):
    """Headers that no source file includes first, so nothing shows they compile alone."""
    first = set()
    for path, text in files.items():
        includes = includes_of(text)
        if path.endswith((".cc", ".cu")) and includes:
            first.add(includes[0])
    return sorted(p for p in files if p.endswith(".h") and p not in first and not p.startswith("third_party/"))
