"""Rules, board, runbooks and pages name metrics and labels that the processes have.

The second half plants each kind of drift and sees it named."""

import glob
import json
import os
import subprocess
import unittest

import yaml

from deploy.monitoring import drift, promql

HERE = "deploy/monitoring"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def data(path):
    return yaml.safe_load(read(path))


class Tree(unittest.TestCase):

    def setUp(self):
        listed = subprocess.run(["cli/distillctl", "metrics", "list", "--json"], capture_output=True, timeout=60, check=True)
        self.known = drift.Known(json.loads(listed.stdout)["metrics"])
        self.rules = data(HERE + "/rules/distillery.yml")
        self.rule_problems = drift.rules_problems(self.rules, self.known)

    def test_rules_name_what_is_there(self):
        self.assertEqual(self.rule_problems, [])
        self.assertGreater(len(drift.alerts(self.rules)), 10)

    def test_boards_name_what_is_there(self):
        boards = glob.glob(HERE + "/dashboards/*.json")
        self.assertGreater(len(boards), 0)
        for path in boards:
            board = json.loads(read(path))
            self.assertGreater(len(list(drift.queries(board))), 10)
            self.assertEqual(drift.board_problems(board, self.known), [], path)

    def test_every_alert_has_its_runbook_and_three_tests(self):
        self.assertEqual(drift.runbook_problems(self.rules, read("docs/runbooks.md")), [])
        uids = [json.loads(read(path))["uid"] for path in glob.glob(HERE + "/dashboards/*.json")]
        self.assertEqual(drift.annotation_problems(self.rules, uids), [])
        tests = {os.path.basename(path)[:-len(".yml")]: data(path) for path in glob.glob(HERE + "/rules/tests/*.yml")}
        self.assertEqual(drift.case_problems(self.rules, tests), [])
        self.assertEqual(sorted(set(tests) - set(drift.alerts(self.rules))), [], "tests of no alert")

    def test_pages_name_what_is_there_and_every_metric_is_documented(self):
        for page in ("docs/runbooks.md", "docs/metrics.md", "docs/metrics_list.md"):
            self.assertEqual(drift.page_problems(read(page), self.known), [], page)
        self.assertEqual(drift.documented_problems(read("docs/metrics_list.md"), self.known), [])


CATALOGUE = [
    {"name": "distill_steps_total", "type": "counter", "labels": ["run"]},
    {"name": "distill_phase_seconds_total", "type": "counter", "labels": ["run", "phase"]},
    {"name": "distill_wait_seconds", "type": "histogram", "labels": ["stage"]},
]


class Planted(unittest.TestCase):

    def setUp(self):
        self.known = drift.Known(CATALOGUE)

    def found(self, text, shown=(), whole=False):
        return drift.query_problems(text, self.known, shown, whole)

    def test_right_queries_pass(self):
        for text in (
                'sum by (plan, run) (rate(distill_steps_total{run=~"a (by) {b}",instance="x"}[5m])) > 0',
                "sum(rate(distill_steps_total[5m])) by (run)",
                "histogram_quantile(0.99, sum by (le, stage) (rate(distill_wait_seconds_bucket[$__rate_interval])))",
                "rate(distill_wait_seconds_sum[5m]) / rate(distill_wait_seconds_count[5m])",
                "sum by (phase) (distill_phase_seconds_total) / ignoring (phase) group_left () clamp_min(up, 1e-9)",
                'up{job=~"distill.*"} == 0 unless on (plan) count by (plan) (distill_steps_total offset 15m)',
                "changes(max by (run) (distill_steps_total)[$__rate_interval:]) > bool 0",
                "sum without (phase) (distill_phase_seconds_total)"):
            self.assertEqual(self.found(text), [], text)

    def test_a_metric_that_is_not_there_is_named_wherever_it_stands(self):
        for text in ("distill_stops_total", "sum(rate(distill_stops_total[5m])) / 2",
                     "distill_steps_total unless on (run) distill_stops_total",
                     "time() - max by (run) (distill_stops_total offset 5m)"):
            self.assertEqual(self.found(text), ["there is no metric distill_stops_total"], text)

    def test_a_label_that_the_metric_lacks_is_named_wherever_it_stands(self):
        for text in ('distill_steps_total{phase="x"}', "sum by (phase) (rate(distill_steps_total[5m]))",
                     "sum(rate(distill_steps_total[5m])) by (phase)", "max without (phase) (distill_steps_total)",
                     "distill_phase_seconds_total and on (phase) distill_steps_total",
                     "distill_steps_total and on (phase) distill_phase_seconds_total",
                     "max by (phase) (distill_phase_seconds_total - on (run) group_right () distill_steps_total)"):
            self.assertEqual(self.found(text), ["distill_steps_total has no label phase"], text)
        self.assertEqual(self.found("sum by (le) (rate(distill_wait_seconds_count[5m]))"),
                         ["distill_wait_seconds_count has no label le"])
        self.assertEqual(self.found("distill_steps_total / ignoring (code) distill_steps_total"),
                         ["joins by label code, which nothing in it has"])

    def test_a_histogram_is_used_by_its_parts_only(self):
        self.assertRegex(self.found("rate(distill_wait_seconds[5m])")[0], "is a histogram: use distill_wait_seconds_bucket")
        self.assertEqual(self.found("distill_steps_total_count"), ["there is no metric distill_steps_total_count"])

    def test_a_legend_shows_labels_of_the_result(self):
        self.assertEqual(self.found("sum by (run) (distill_phase_seconds_total)", ["phase"]),
                         ["shows label phase, which the result lacks"])
        self.assertEqual(self.found("distill_phase_seconds_total", ["phase"]), [])

    def test_the_result_is_that_of_the_outermost_aggregation_and_operator(self):
        for text, kept in (
                ("sum by (plan) (max by (plan, run) (distill_steps_total))", {"plan"}),
                ("sum(distill_steps_total)", set()),
                ("sum(max by (run) (distill_steps_total)) > 5", set()),
                ("sum without (run) (max by (plan, run) (distill_steps_total))", {"plan"}),
                ("max by (plan, run) (distill_steps_total) / sum by (plan, run) (up) > 2", {"plan", "run"}),
                ("sum by (plan) (up) and on (plan) sum by (plan, run) (distill_steps_total)", {"plan"}),
                ("sum by (plan, run) (up) unless (sum(up) or max by (run) (up))", {"plan", "run"}),
                ("sum by (plan, run) (up) or sum by (plan) (up)", {"plan"}),
                ("sum by (plan, run) (up) * on (run) sum by (run) (up)", {"run"}),
                ("sum by (plan, run) (up) * on (run) group_left () sum by (run) (up)", {"plan", "run"}),
                ("sum by (run) (up) * on (run) group_right () sum by (plan, run) (up)", {"plan", "run"}),
                ("sum by (plan, run) (up) / ignoring (run) sum by (plan) (up)", {"plan"}),
                ("sum by (run, phase) (up) / ignoring (phase) group_left () sum by (run) (up)", {"run", "phase"}),
                ("time() - max by (plan) (up)", {"plan"}),
                ("histogram_quantile(0.5, sum by (plan, le) (up))", {"plan"})):
            result = promql.Query(text, lambda metric: {"plan", "run", "phase"}).result
            self.assertEqual((set(result.labels), result.grouped), (kept, True), text)
        for text in ("sum(distill_steps_total)", "sum by (plan) (max by (plan, run) (distill_steps_total))"):
            self.assertEqual(self.found(text, ["run"]), ["shows label run, which the result lacks"], text)
        self.assertFalse(promql.Query("rate(distill_steps_total[5m]) > 1", self.known.labels).result.grouped)

    def test_a_legend_shows_every_label_that_lines_differ_by(self):
        self.assertEqual(self.found("max by (plan, run) (distill_steps_total)", ["run"], whole=True),
                         ["groups by label plan, which the text does not show"])
        self.assertEqual(self.found("max by (plan, run) (distill_steps_total)", ["plan", "run"], whole=True), [])
        self.assertEqual(self.found("distill_steps_total", ["run"], whole=True), [])

    def test_what_cannot_be_read_is_said(self):
        for text in ("sum(distill_steps_total", "distill_steps_total)", "{run=\"x\"}", "distill_steps_total{", "a ? b", "1 + 1"):
            self.assertEqual(len(self.found(text)), 1, text)

    def test_recorded_names_have_the_labels_that_they_keep(self):
        rules = {"groups": [{"rules": [
            {"record": "run:steps:rate5m", "expr": "sum by (run) (rate(distill_steps_total[5m]))"},
            {"alert": "A", "expr": "sum by (plan) (run:steps:rate5m) > 1", "annotations": {"summary": "{{ $labels.plan }}"}},
            {"alert": "B", "expr": "run:stops:rate5m > 1", "annotations": {"summary": "{{ $labels.run }}"}},
            {"alert": "C", "expr": "run:steps:rate5m > 1", "annotations": {"summary": "{{ $labels.plan }}"}},
            {"alert": "D", "expr": "sum(run:steps:rate5m) > 1", "annotations": {"summary": "{{ $labels.run }}"}}]}]}
        self.assertEqual(drift.rules_problems(rules, self.known), [
            "A: run:steps:rate5m has no label plan", "B: there is no metric run:stops:rate5m",
            "C: shows label plan, which the result lacks", "D: shows label run, which the result lacks"])

    def test_an_alert_without_runbook_or_test_is_named_and_a_runbook_without_alert(self):
        rules = {"groups": [{"rules": [
            {"alert": "Old", "expr": "1", "annotations": {"runbook_url": "docs/runbooks.md#old"}},
            {"alert": "New", "expr": "1", "annotations": {"runbook_url": "docs/runbooks.md#old"}}]}]}
        self.assertEqual(drift.runbook_problems(rules, "# R\n\n## Old\n\ntext\n\n## Gone\n"), [
            "New: not in docs/runbooks.md", "New: runbook_url leads to docs/runbooks.md#old",
            "docs/runbooks.md: there is no alert Gone"])

    def test_a_test_that_is_missing_or_does_not_look_for_what_its_name_says_is_named(self):
        rules = {"groups": [{"rules": [{"alert": "A", "expr": "1"}]}]}

        def found(**fires):
            return drift.case_problems(rules, {"A": {"tests": [
                {"name": name.replace("_", " "), "alert_rule_test": [
                    {"alertname": "A", "exp_alerts": [{}] if each else []} for each in expected]}
                for name, expected in fires.items()]}})

        good = {"fires": [False, True], "does_not_fire_just_below": [False], "resolves": [True, False]}
        self.assertEqual(found(**good), [])
        self.assertEqual(found(fires=[True]), ["A: no test 'does not fire just below'", "A: no test 'resolves'"])
        for name, others in (("fires", ([], [False])), ("does_not_fire_just_below", ([], [False, True])),
                             ("resolves", ([], [False], [True], [False, True]))):
            for expected in others:
                self.assertEqual(found(**{**good, name: expected}),
                                 ["A: test '%s' does not look for that" % name.replace("_", " ")], expected)

    def test_an_alert_that_says_no_numbers_or_leads_to_no_board_is_named(self):
        good = {"summary": "run {{ $labels.run }} of {{ $labels.plan }}", "description": "{{ $value }} of 3",
                "dashboard_url": "/d/b?var-plan={{ $labels.plan }}&var-run={{ $labels.run }}"}

        def found(**changes):
            annotations = {key: text for key, text in {**good, **changes}.items() if text is not None}
            return drift.annotation_problems({"groups": [{"rules": [{"alert": "A", "annotations": annotations}]}]}, ["b"])

        self.assertEqual(found(), [])
        self.assertEqual(found(summary=None), ["A: no summary"])
        self.assertEqual(found(description=None), ["A: no description"])
        self.assertEqual(found(description="some"), ["A: description without $value"])
        self.assertEqual(found(dashboard_url=None)[0], "A: dashboard_url leads to no board: ''")
        self.assertEqual(found(dashboard_url=good["dashboard_url"].replace("/b", "/c")), ["A: dashboard_url leads to no board: '/d/c'"])
        self.assertEqual(found(dashboard_url="/d/b?var-plan={{ $labels.plan }}"), ["A: dashboard_url is not at its run"])
        self.assertEqual(found(dashboard_url="/d/b?var-run={{ $labels.run }}"), ["A: dashboard_url is not at its plan"])

    def test_a_board_is_looked_at_whole(self):
        target = {"expr": "distill_stops_total", "legendFormat": ""}
        merged = {"expr": "max by (plan, run) (distill_steps_total)", "legendFormat": "{{run}}"}
        board = {"panels": [{"title": "P", "targets": [target]}, {"title": "a row"}, {"title": "M", "targets": [merged]}],
                 "annotations": {"list": [{"name": "N", "expr": "distill_stops_total"}]},
                 "templating": {"list": [
                     {"name": "datasource", "type": "datasource", "query": "prometheus"},
                     {"name": "v", "type": "query", "query": {"query": "label_values(distill_stops_total, run)"}},
                     {"name": "w", "type": "query", "query": {"query": "label_values(distill_steps_total, phase)"}},
                     {"name": "x", "type": "query", "query": {"query": "label_values(run)"}}]}}
        self.assertEqual(drift.board_problems(board, self.known), [
            "panel 'P': there is no metric distill_stops_total",
            "panel 'M': groups by label plan, which the text does not show", "annotation 'N': there is no metric distill_stops_total",
            "variable 'v': there is no metric distill_stops_total",
            "variable 'w': shows label phase, which the result lacks", "variable 'x': is no label_values(metric, label)"])

    def test_pages_are_held_to_the_catalogue_both_ways(self):
        self.assertEqual(drift.page_problems("`distill_stops_total` and `distill_steps_total{run}`, `distill_`, "
                                             "`distill_wait_seconds`, `process_*`", self.known),
                         ["there is no metric distill_stops_total"])
        self.assertEqual(drift.documented_problems("`distill_steps_total`, `distill_wait_seconds`", self.known),
                         ["distill_phase_seconds_total is not in it"])


if __name__ == "__main__":
    unittest.main()
