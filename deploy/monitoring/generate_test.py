"""What is derived is what its source says, and the board keeps the conventions."""

import json
import os
import re
import unittest

import yaml

from deploy.monitoring import drift, generate

HERE = "deploy/monitoring"


def read(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


class Derived(unittest.TestCase):

    def test_files_are_what_their_sources_say(self):
        for path, text in generate.derived().items():
            self.assertTrue(read(path) == text, "%s is old: python3 -m deploy.monitoring.generate" % path)

    def test_the_cluster_gets_the_rules_of_the_file(self):
        rule = yaml.safe_load(read("prometheus_rule.yaml"))
        self.assertEqual(rule["spec"], yaml.safe_load(read("rules/distillery.yml")))


class Board(unittest.TestCase):

    def setUp(self):
        self.board = json.loads(read("dashboards/run.json"))
        self.panels = [panel for panel in self.board["panels"] if panel["type"] != "row"]
        self.variables = {each["name"]: each for each in self.board["templating"]["list"]}

    def test_it_has_a_name_of_its_own_and_a_relative_time(self):
        self.assertEqual((self.board["uid"], self.board["id"]), ("distillery-run", None))
        self.assertTrue(self.board["time"]["from"].startswith("now-"))

    def test_every_panel_says_its_unit_and_what_good_looks_like(self):
        self.assertGreater(len(self.panels), 15)
        for panel in self.panels:
            self.assertIn("Good: ", panel["description"], panel["title"])
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
        self.assertEqual(len({panel["title"] for panel in self.board["panels"]}), len(self.board["panels"]))

    def test_the_data_source_is_the_variable_everywhere(self):
        def sources(thing):
            if isinstance(thing, dict):
                yield from [thing["datasource"]] if "datasource" in thing else []
                thing = list(thing.values())
            for each in thing if isinstance(thing, list) else []:
                yield from sources(each)

        found = list(sources(self.board))
        self.assertGreater(len(found), 2 * len(self.panels))
        for each in found:
            self.assertEqual(each, {"type": "prometheus", "uid": "${datasource}"})
        self.assertEqual(self.variables["datasource"]["type"], "datasource")

    def test_variables_have_all_and_every_query_uses_those_that_are_there(self):
        for name in ("plan", "run", "instance"):
            self.assertTrue(self.variables[name]["includeAll"])
            self.assertEqual(self.variables[name]["allValue"], ".*")
        for where, text, _, _ in drift.queries(self.board):
            self.assertIn('plan=~"$plan"', text, where)
            used = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}
            self.assertLessEqual(used, set(self.variables), where)

    def test_what_is_of_a_run_or_of_members_is_of_a_plan_too(self):
        groupings = [re.split(r",\s*", labels) for _, text, _, _ in drift.queries(self.board)
                     for labels in re.findall(r"\bby \(([^)]*)\)", text)]
        self.assertGreater(len(groupings), 20)
        for labels in groupings:
            self.assertTrue("plan" in labels or not {"run", "role"} & set(labels), labels)

    def test_windows_come_from_the_interval_variable(self):
        for where, text, _, _ in drift.queries(self.board):
            self.assertLessEqual(set(re.findall(r"\[[^\]]*\]", text)),
                                 {"[$__rate_interval]", "[$__rate_interval:]"}, where)

    def test_panels_lie_side_by_side(self):
        taken = set()
        for panel in self.board["panels"]:
            grid = panel["gridPos"]
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
            self.assertLessEqual(max(x for x, _ in cells), 23)
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells


if __name__ == "__main__":
    unittest.main()
