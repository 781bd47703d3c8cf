"""What a PromQL query names: metrics with their labels, and labels that it groups and joins by.

No parser of the whole language: `promtool check rules` and a live Prometheus judge the syntax."""

import re

_TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
  | (?P<range>\[[^\]]*\])
  | (?P<number>[0-9.][0-9a-zA-Z.]*|\$\w+|\$\{[^}]*\})
  | (?P<name>[A-Za-z_:][\w:]*)
  | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},@])
""", re.X)
_AGGREGATE = {"by", "without"}
_JOIN = {"on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}


class Use:
    """One selector: its metric, and the labels that the query takes for granted of it."""

    def __init__(self, metric, labels):
        self.metric = metric
        self.labels = set(labels)


class Query:
    """`uses` in the order of the text. `kept`: labels of every by (...), so those of the result may
    be among them; `joined`: labels of which one side at least must have each."""

    def __init__(self, text):
        self.uses = []
        self.kept = set()
        self.joined = set()
        self._tokens = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError("cannot read %r" % text[at:at + 20])
            if match.lastgroup != "space":
                self._tokens.append((match.lastgroup, match.group()))
            at = match.end()
        self._at = 0
        self._group()
        if self._at < len(self._tokens):
            raise ValueError("')' too many")

    def _peek(self, ahead=0):
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else (None, "")

    def _next(self):
        token = self._peek()
        self._at += 1
        return token

    def _group(self):
        """To the closing parenthesis or the end; the uses in between."""
        here, last, pending = [], [], None
        while self._peek()[1] not in ("", ")"):
            kind, text = self._next()
            if text == "(":
                last = self._group()
                if self._next()[1] != ")":
                    raise ValueError("a '(' is not closed")
                for use in last:
                    use.labels |= pending or set()
                pending = None
                here += last
            elif text == "{":
                raise ValueError("a selector without a metric's name")
            elif kind == "name" and text.lower() in _AGGREGATE:
                labels = self._labels()
                if text.lower() == "by":
                    self.kept |= labels
                if self._peek()[1] == "(":
                    pending = labels
                for use in last if self._peek()[1] != "(" else []:
                    use.labels |= labels
            elif kind == "name" and text.lower() in _JOIN:
                self._join(text.lower(), here)
            elif kind == "name" and text.lower() not in _WORDS and not self._calls():
                here.append(self._selector(text))
        return here

    def _calls(self):
        """Whether what follows a name makes it a function or an aggregation."""
        return self._peek()[1] == "(" or self._peek()[1].lower() in _AGGREGATE and self._peek(1)[1] == "("

    def _labels(self):
        if self._next()[1] != "(":
            raise ValueError("by, without, on or ignoring without its list of labels")
        found = set()
        while self._peek()[1] not in ("", ")"):
            kind, text = self._next()
            if kind == "name":
                found.add(text)
        self._next()
        return found

    def _join(self, word, before):
        if word.startswith("group_") and self._peek()[1] != "(":
            return
        labels = self._labels()
        if word != "on":
            self.joined |= labels
            return
        # Both sides; the right one is all that is left of this group.
        for use in before:
            use.labels |= labels
        if self._peek()[1].lower() in ("group_left", "group_right"):
            self._join(self._next()[1].lower(), before)
        for use in self._group():
            use.labels |= labels
            before.append(use)

    def _selector(self, metric):
        labels = []
        if self._peek()[1] == "{":
            self._next()
            while self._peek()[1] not in ("", "}"):
                kind, text = self._next()
                if kind == "name":
                    labels.append(text)
            if self._next()[1] != "}":
                raise ValueError("a '{' is not closed")
        use = Use(metric, labels)
        self.uses.append(use)
        return use
