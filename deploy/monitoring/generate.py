"""Writes what is derived: python3 -m deploy.monitoring.generate

dashboards/run.json from board.py, prometheus_rule.yaml from rules/distillery.yml. generate_test.py
says when they are old."""

import json
import os

from deploy.monitoring.board import board

HERE = os.path.dirname(os.path.abspath(__file__))

_RULE_HEAD = """\
# Written by deploy/monitoring/generate.py from rules/distillery.yml; do not edit. Which
# PrometheusRules a Prometheus reads is its own ruleSelector: add the label that it asks for in
# your overlay.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: distillery
  labels:
    app.kubernetes.io/component: monitoring
    app.kubernetes.io/name: distillery
    app.kubernetes.io/instance: distillery
    app.kubernetes.io/version: 0.1.0
    app.kubernetes.io/part-of: distillery
    app.kubernetes.io/managed-by: kustomize
spec:
"""


def prometheus_rule(rules):
    """The text of `rules`, below spec."""
    lines = ["  " + line if line else "" for line in rules[rules.index("groups:"):].rstrip("\n").split("\n")]
    return _RULE_HEAD + "\n".join(lines) + "\n"


def derived():
    """Text by path from here."""
    with open(os.path.join(HERE, "rules/distillery.yml"), encoding="utf-8") as file:
        rules = file.read()
    return {"dashboards/run.json": json.dumps(board(), indent=2) + "\n", "prometheus_rule.yaml": prometheus_rule(rules)}


def main():
    for path, text in derived().items():
        with open(os.path.join(HERE, path), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
