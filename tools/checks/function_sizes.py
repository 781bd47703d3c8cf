"""How many lines each function of a C++ file has, from its first to its closing line.

Reads what clang-format wrote: a body's brace ends its line. A lambda, and a class within
a function, count to the function they stand in; a test body is a function."""

import re

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(?P<raw>[^\s()\\]*)\(.*?\)(?P=raw)\"|\"(?:\\.|[^\"\\\n])*\"|"
    r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.DOTALL | re.MULTILINE)
_SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|^\s*extern[ \"]*$")
_TEST = re.compile(r"\b(?:TYPED_)?TEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+)")
_NAME = re.compile(r"((?:\w+(?:<[^<>]*>)?::)*(?:operator\s*[^\s(]+|~?\w+))\s*\(")


def _blank(match):
    """Spaces in place of a comment, literal or directive; its line ends stay."""
    text = match.group(0)
    if text.lstrip().startswith(("//", "/*", "#")):
        return re.sub(r"[^\n]", " ", text)
    return '"' + re.sub(r"[^\n]", " ", text[1:-1]) + '"'


def _is_function(head):
    """Whether `{` after these words, outside of functions, opens a function's body."""
    words = re.sub(r"\[\[[^\]]*\]\]|template\s*<[^{}()]*>", " ", head)
    if not words[-1:].isspace() or "(" not in words or words.count("(") != words.count(")"):
        return False  # `a_{1}` and `a_(F({1}))` of a constructor's list among them
    if re.search(r"=\s*$|=\s*\[", words):
        return False
    scope = _SCOPE.search(words)
    return scope is None or words.find("(") < scope.start()


def _name(head):
    test = _TEST.search(head)
    if test:
        return "%s.%s" % test.groups()
    name = _NAME.search(head)
    return re.sub(r"\s", "", name.group(1)) if name else "?"


def sizes(text):
    """Pairs of name and lines, in the file's order."""
    code = _TOKEN.sub(_blank, text)
    found, scopes, start = [], [], 0
    for match in re.finditer(r"[{};]|\b(?:public|private|protected):", code):
        at, inside = match.start(), any(kind == "function" for kind, _, _ in scopes)
        token = match.group(0)
        if token == "{":
            head = code[start:at]
            if inside or (scopes and scopes[-1][0] == "value"):
                scopes.append(("block", 0, ""))
            elif _is_function(head):
                scopes.append(("function", start + len(head) - len(head.lstrip()), _name(head)))
            elif _SCOPE.search(head):
                scopes.append(("scope", 0, ""))
            else:  # an initializer: what stands before and after it is one declaration
                scopes.append(("value", 0, ""))
                continue
        elif token == "}":
            kind, begin, name = scopes.pop() if scopes else ("block", 0, "")
            if kind == "function":
                found.append((name, code.count("\n", begin, at) + 1))
            elif kind == "value":
                continue
        if not inside or token == "}":
            start = match.end()
    return found
