"""report.html of a run: a whole page, with all runs, that needs nothing beside itself."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from xml.etree import ElementTree

from tests.support import local_plan


class ReportPage(local_plan.LocalPlanTest):

    def setUp(self):
        self.path = os.path.join(self.undisturbed.path, "report.html")
        with open(self.path, encoding="utf-8") as file:
            self.text = file.read()
        # Fails where an element is not closed or a name not escaped.
        self.page = ElementTree.fromstring(self.text)

    def test_every_run_has_its_row_its_verdict_and_its_curves(self):
        rows = [row[0].text for row in self.page.iterfind(".//table[@class='models']/tr")]
        self.assertEqual(rows, ["model", "teacher", "distilled"])
        charts = json.loads(self.page.find(".//script[@id='curves']").text)
        drawn = []
        sections = self.page.findall(".//section")
        self.assertEqual([section.find("h2").text for section in sections], rows[1:])
        for section, steps in zip(sections, (200, 250)):
            self.assertRegex(section.find("p").text, "-bound")
            self.assertIsNotNone(section.find(".//table[@class='phases']"))
            for title in ("validation accuracy", "loss, and its terms before weighting",
                          "temperature", "weights", "learning rate"):
                card, = [card for card in section.iterfind(".//div[@class='card']")
                         if card.find("h3").text == title]
                chart = charts[int(card.find("div").get("data-chart"))]
                self.assertEqual(chart["steps"][-1], steps, title)
                self.assertIsNotNone(chart["series"][0]["values"][-1], title)
            drawn += [int(box.get("data-chart")) for box in section.iterfind(".//*[@data-chart]")]
        self.assertEqual(drawn, list(range(len(charts))))

    @unittest.skipUnless(shutil.which("chromium"), "needs chromium; tools/setup --checks installs it")
    def test_a_browser_draws_every_curve_and_has_nothing_to_say(self):
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--user-data-dir=" + profile,
                 "--enable-logging=stderr", "--dump-dom", "file://" + self.path],
                capture_output=True, text=True, timeout=50, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("CONSOLE", done.stderr)
        boxes = done.stdout.split('data-chart="')[1:]
        charts = json.loads(self.page.find(".//script[@id='curves']").text)
        self.assertEqual([int(box.partition('"')[0]) for box in boxes], list(range(len(charts))))
        for box, chart in zip(boxes, charts):
            self.assertRegex(box, r"<canvas width=.[1-9]", chart["series"][0]["label"])

    def test_nothing_is_fetched_from_elsewhere(self):
        for element in self.page.iter():
            self.assertNotIn(element.tag, ("link", "img", "iframe", "object", "embed"))
            for name in element.attrib:
                self.assertNotIn(name, ("src", "href", "srcset", "data", "action"), element.tag)
        # uPlot names its home in a comment.
        text = self.text.replace("/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "")
        self.assertIsNone(re.search(
            r"https?:|url\(|@import|fetch\(|XMLHttpRequest|import\(|WebSocket", text))


if __name__ == "__main__":
    unittest.main()
