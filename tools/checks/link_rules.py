"""Links between the Markdown files of the tree, and to other files in it."""

import os
import re

_FENCE = re.compile(r"^\s*(```|~~~)")
_CODE = re.compile(r"(`+).+?\1")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\s*\[[^\]^]+\]:\s*<?([^\s>]+)>?")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ID = re.compile(r"<\w+[^>]*\b(?:id|name)=\"([^\"]+)\"")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _prose(text):
    """Pairs of line number and line, without fenced blocks."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = _FENCE.match(line)
        if mark and fence in (None, mark.group(1)):
            fence = mark.group(1) if fence is None else None
        elif fence is None:
            yield number, line


def anchors(text):
    """What `#...` may name in a Markdown file: its headings as GitHub spells them, and ids."""
    found = set()
    for _, line in _prose(text):
        found.update(_ID.findall(line))
        heading = _HEADING.match(line)
        if not heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = 0
        while slug + ("-%d" % count if count else "") in found:
            count += 1
        found.add(slug + ("-%d" % count if count else ""))
    return found


def problems(path, text, exists, read):
    """One line for each link of the file at `path` that leads nowhere.

    `exists(path)` and `read(path)` see the tree, with paths from its root."""
    found = []
    for number, line in _prose(text):
        for match in _LINK.finditer(_CODE.sub("", line)):
            link = match.group(1) or match.group(2)
            if _ELSEWHERE.match(link) or link.startswith("//"):
                continue
            name, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
            if target.startswith(("..", "/")):
                found.append("%s:%d: %s leads out of the tree" % (path, number, link))
            elif not exists(target):
                found.append("%s:%d: %s: there is no %s" % (path, number, link, target))
            elif anchor and target.endswith(".md") and anchor not in anchors(read(target)):
                found.append("%s:%d: %s: %s has no heading #%s" % (path, number, link, target, anchor))
    return found
