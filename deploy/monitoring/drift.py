"""Whether rules, boards, runbooks and pages name what the catalogue of metrics has.

Each function returns what is wrong, one line each. A catalogue is "metrics" of what `distillctl metrics list
--json` prints."""

import re

from deploy.monitoring.promql import Query

# Labels that the scrape adds (prometheus.yml, pod_monitor.yaml).
SCRAPE = {"job", "instance", "plan", "process"}
# By test of an alert: whether its expectations, in the order of time, are what the name says.
CASES = {"fires": any, "does not fire just below": lambda fires: not any(fires),
         "resolves": lambda fires: any(fires) and not fires[-1]}
_PARTS = ("_bucket", "_sum", "_count")
# In pages: names in backticks. A name with * is a family of them.
_IN_TEXT = re.compile(r"`((?:distill|process)_[a-z0-9_]*[a-z0-9])(?:\{[^`]*\})?`")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OF_ALERT = re.compile(r"\$labels\.(\w+)")
_LABEL_VALUES = re.compile(r"label_values\((?:(.*),\s*)?(\w+)\)")


class Known:
    """Metrics that a query may name: the catalogue's, Prometheus' own, those of recording rules."""

    def __init__(self, catalogue):
        self.kinds = {row["name"]: row["type"] for row in catalogue}
        self._labels = {row["name"]: set(row["labels"]) | SCRAPE for row in catalogue}
        self._labels["up"] = SCRAPE
        for name, kind in self.kinds.items():
            if kind == "histogram":
                base = self._labels.pop(name)
                self._labels.update({name + part: base | ({"le"} if part == "_bucket" else set()) for part in _PARTS})

    def add_recorded(self, name, query):
        self._labels[name] = set(query.result.labels if query.result else ())

    def problem(self, metric):
        """Empty when a query may name it."""
        if metric in self._labels:
            return ""
        if metric in self.kinds:
            return "%s is a histogram: use %s" % (metric, ", ".join(metric + part for part in _PARTS))
        return "there is no metric %s" % metric

    def labels(self, metric):
        return self._labels.get(metric, set())


def _parse(text, known):
    try:
        return Query(text, known.labels), []
    except ValueError as error:
        return None, [str(error)]


def query_problems(text, known, shown=(), whole=False):
    """`shown`: labels that a legend or an annotation puts into its text. `whole`: it has to show every label
    that the query groups by, or two lines would bear one name."""
    query, found = _parse(text, known)
    if query is None:
        return found
    if not query.uses:
        return ["names no metric"]
    found = [problem for problem in (known.problem(use.metric) for use in query.uses) if problem]
    if found:
        return found
    every = set().union(*(known.labels(use.metric) for use in query.uses))
    for use in query.uses:
        found += ["%s has no label %s" % (use.metric, label) for label in sorted(use.labels - known.labels(use.metric))]
    found += ["joins by label %s, which nothing in it has" % label for label in sorted(query.joined - every)]
    result = query.result
    found += ["shows label %s, which the result lacks" % label for label in sorted(set(shown) - (result.labels if result else set()))]
    if whole and result and result.grouped:
        found += ["groups by label %s, which the text does not show" % label for label in sorted(result.labels - set(shown))]
    return found


def rules_problems(rules, known):
    """`rules`: a file of rules as data. Adds what it records to `known`."""
    found = []
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        name = rule.get("record") or rule.get("alert")
        shown = {label for text in rule.get("annotations", {}).values() for label in _OF_ALERT.findall(text)}
        found += ["%s: %s" % (name, each) for each in query_problems(rule["expr"], known, shown)]
        query, _ = _parse(rule["expr"], known)
        if "record" in rule and query is not None:
            known.add_recorded(name, query)
    return found


def alerts(rules):
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule}


def runbook_problems(rules, runbooks):
    """Every alert has its section and leads there, and every section is of an alert."""
    sections = re.findall(r"^## (.*)$", runbooks, re.M)
    found = []
    for name, rule in alerts(rules).items():
        found += [] if name in sections else ["%s: not in docs/runbooks.md" % name]
        leads = rule["annotations"].get("runbook_url")
        if leads != "docs/runbooks.md#" + name.lower():
            found.append("%s: runbook_url leads to %s" % (name, leads))
    return found + ["docs/runbooks.md: there is no alert %s" % name for name in sections if name not in alerts(rules)]


def annotation_problems(rules, uids):
    """Every alert tells what, the numbers, and where to look: a board of `uids`, at its own plan and run."""
    found = []
    for name, rule in alerts(rules).items():
        has = rule["annotations"]
        found += ["%s: no %s" % (name, each) for each in ("summary", "description") if not has.get(each)]
        if "$value" not in has.get("description", "$value"):
            found.append("%s: description without $value" % name)
        board, _, at = has.get("dashboard_url", "").partition("?")
        if board not in ["/d/" + uid for uid in uids]:
            found.append("%s: dashboard_url leads to no board: '%s'" % (name, board))
        found += ["%s: dashboard_url is not at its %s" % (name, label) for label in ("plan", "run")
                  if label in _OF_ALERT.findall(has.get("summary", "")) and "var-%s={{ $labels.%s }}" % (label, label) not in at.split("&")]
    return found


def case_problems(rules, tests):
    """`tests`: by alert, its file of promtool tests as data."""
    found = []
    for name in alerts(rules):
        cases = {test.get("name"): test for test in tests.get(name, {}).get("tests", [])}
        for case, holds in CASES.items():
            if case not in cases:
                found.append("%s: no test '%s'" % (name, case))
                continue
            fires = [bool(at.get("exp_alerts")) for at in cases[case].get("alert_rule_test", []) if at["alertname"] == name]
            found += [] if fires and holds(fires) else ["%s: test '%s' does not look for that" % (name, case)]
    return found


def queries(board):
    """Of a board: (where, query, legend, whether a range is asked for) of panels and annotations."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield "panel '%s'" % panel["title"], target["expr"], target.get("legendFormat", ""), not target.get("instant")
    for each in board["annotations"]["list"]:
        yield "annotation '%s'" % each["name"], each["expr"], each.get("textFormat", ""), True


def variable_query(variable):
    """The selector and the label of a variable of kind query; two times None when it is no label_values of both."""
    match = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    return (match[1], match[2]) if match and match[1] else (None, None)


def board_problems(board, known):
    found = []
    for where, text, legend, _ in queries(board):
        found += ["%s: %s" % (where, each) for each in query_problems(text, known, _LEGEND.findall(legend), whole=True)]
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        where = "variable '%s'" % variable["name"]
        text, label = variable_query(variable)
        if text is None:
            found.append("%s: is no label_values(metric, label)" % where)
            continue
        found += ["%s: %s" % (where, each) for each in query_problems(text, known, [label])]
    return found


def page_problems(text, known):
    """Of a page in Markdown: names of metrics that are none."""
    return ["there is no metric %s" % name for name in sorted(set(_IN_TEXT.findall(text)))
            if name not in known.kinds and known.problem(name)]


def documented_problems(text, known):
    named = set(_IN_TEXT.findall(text))
    return ["%s is not in it" % name for name in known.kinds if name not in named]
