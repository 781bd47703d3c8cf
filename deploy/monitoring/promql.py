"""What a PromQL query names: metrics with their labels, labels that it groups and joins by, and those of its result.

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
_GROUPING = {"by", "without"}
_AGGREGATIONS = {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "quantile"}
_JOIN = {"on", "ignoring", "group_left", "group_right"}
_OPERATORS = {"and", "or", "unless", "atan2"}
_WORDS = {"bool", "offset", "inf", "nan", "start", "end"}


class Use:
    """One selector: its metric, and the labels that the query takes for granted of it."""

    def __init__(self, metric, labels):
        self.metric = metric
        self.labels = set(labels)


class Result:
    """The labels of what an expression gives. `grouped`: they are those of an aggregation or a join, so each
    was asked for; else whatever labels the metrics have."""

    def __init__(self, labels, grouped):
        self.labels = frozenset(labels)
        self.grouped = grouped

    def minus(self, labels):
        return Result(self.labels - frozenset(labels), self.grouped)

    def both(self, other):
        """Of two that are matched label by label."""
        return Result(self.labels & other.labels, self.grouped or other.grouped)


class Query:
    """`uses` in the order of the text; `joined`: labels of which one side at least must have each. `result`: of
    the whole, None of a number; without precedence of operators, so it may lack labels, and never has too many.

    `labels_of`: from a metric to the set of its labels."""

    def __init__(self, text, labels_of):
        self.uses = []
        self.joined = set()
        self._labels_of = labels_of
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
        _, self.result = self._group()
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
        """To the closing parenthesis or the end: the uses in between, and what they give."""
        here, result = [], None
        operator, matching = "", ("", set(), "")
        while self._peek()[1] not in ("", ")"):
            kind, text = self._peek()
            word = text.lower() if kind == "name" else ""
            if word in _JOIN:
                matching, uses, given = self._matching(here)
                if uses:
                    here += uses
                    result = _operation(operator, matching, result, given)
                continue
            if word in _OPERATORS or kind == "sign" and text not in "({":
                operator, matching = word or text, ("", set(), "")
                self._next()
                continue
            uses, given = self._operand()
            here += uses
            result = _operation(operator, matching, result, given)
        return here, result

    def _operand(self):
        kind, text = self._next()
        if text == "(":
            return self._parenthesis()
        if text == "{":
            raise ValueError("a selector without a metric's name")
        if kind != "name" or text.lower() in _WORDS:
            return [], None
        if text.lower() in _AGGREGATIONS:
            return self._aggregation()
        if self._peek()[1] == "(":
            self._next()
            uses, given = self._parenthesis()
            return uses, _call(text, given)
        use = self._selector(text)
        return [use], Result(self._labels_of(use.metric), grouped=False)

    def _parenthesis(self):
        found = self._group()
        if self._next()[1] != ")":
            raise ValueError("a '(' is not closed")
        return found

    def _aggregation(self):
        word, labels = self._grouping()
        if self._next()[1] != "(":
            raise ValueError("an aggregation of nothing")
        uses, given = self._parenthesis()
        if not word:
            word, labels = self._grouping()
        for use in uses:
            use.labels |= labels
        if word == "without":
            return uses, given and given.minus(labels)
        return uses, Result(labels, grouped=True)

    def _grouping(self):
        """by (...) or without (...), if it comes next."""
        if self._peek()[1].lower() not in _GROUPING:
            return "", set()
        return self._next()[1].lower(), self._labels()

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

    def _matching(self, before):
        """on (...) or ignoring (...) with what may follow; for on also the right side, all that is left of the group."""
        word, labels = self._next()[1].lower(), self._labels()
        side = ""
        if self._peek()[1].lower() in ("group_left", "group_right"):
            side = self._next()[1].lower()
            if self._peek()[1] == "(":
                self.joined |= self._labels()
        if word == "ignoring":
            self.joined |= labels
            return (word, labels, side), [], None
        uses, given = self._group()
        for use in before + uses:
            use.labels |= labels
        return (word, labels, side), uses, given

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


def _call(function, given):
    if given is None or function in ("scalar", "time"):
        return None
    return given.minus({"le"}) if function == "histogram_quantile" else given


def _operation(operator, matching, left, right):
    """What `left operator right` gives; either may be a number."""
    if left is None or right is None:
        return left or right
    if operator in ("and", "unless"):
        return left
    word, labels, side = matching
    if side:
        return left if side == "group_left" else right
    if word == "on":
        return Result(labels, grouped=True)
    return left.both(right).minus(labels)
