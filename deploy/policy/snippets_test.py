"""README's additions are found, and what they lack is named. deploy/check renders them."""

import unittest

from deploy.policy import snippets
from deploy.policy.rendering import Rendering

WORKLOAD = """
kind: %s
metadata: {name: %s}
spec:
  template:
    metadata: {labels: {app.kubernetes.io/component: %s}}
    spec:
      containers:
        - args: [--model-dir=/models, --allow-executable-models]
          volumeMounts: [{name: models, mountPath: /models, readOnly: true}, {name: tmp, mountPath: /tmp}]
          resources: {requests: {ephemeral-storage: 1Gi}, limits: {ephemeral-storage: 2Gi}}
      volumes: [{name: models}, {name: tmp, emptyDir: {sizeLimit: 1Gi}}]
"""
PLAN = """
kind: Job
metadata: {name: plan}
spec:
  podFailurePolicy: {rules: [{action: Ignore}, {action: FailJob, onExitCodes: {operator: In, values: [1, 6]}}]}
  template:
    metadata: {labels: {app.kubernetes.io/component: plan}}
    spec:
      containers:
        - args: [resume, $(DISTILL_RUN_DIR), --coordinator=$(DISTILL_COORDINATOR)]
          env: [{name: DISTILL_RUN_DIR, value: /runs/1}, {name: DISTILL_COORDINATOR, value: "h:1"}]
"""
RULE = """
kind: PrometheusRule
metadata: {name: distillery}
spec:
  groups:
    - rules:
        - alert: A
          annotations: {runbook_url: "https://git.example/x/docs/runbooks.md#a", dashboard_url: "https://grafana.example/d/u?v=1"}
"""


def rendering(*texts):
    return Rendering("planted", "---".join(texts))


class Snippets(unittest.TestCase):

    def test_readme_has_each(self):
        with open("deploy/README.md", encoding="utf-8") as page:
            text = page.read()
        self.assertEqual(set(snippets.HOLDS), set(snippets.BELOW))
        for heading in snippets.HOLDS:
            self.assertRegex(snippets.snippet(text, heading) or "", r"^(configMapGenerator|patches):\n  - ", heading)

    def test_the_block_below_the_heading_is_taken(self):
        text = "# A\n\n    no\n\n## B\n\nWords:\n\n    a:\n      b\n\n    c\n\nMore.\n\n    d\n"
        self.assertEqual(snippets.snippet(text, "B"), "a:\n  b\n\nc\n")
        self.assertIsNone(snippets.snippet(text, "C"))
        self.assertIsNone(snippets.snippet("## B\n\nWords.\n\n## C\n\n    c\n", "B"))

    def test_links_that_lead_nowhere_are_named(self):
        self.assertEqual(snippets.lead_somewhere(rendering(RULE)), [])
        self.assertEqual(snippets.lead_somewhere(rendering(RULE.replace("https://git.example/x/", ""))),
                         ["A: runbook_url is 'docs/runbooks.md#a'"])
        self.assertEqual(snippets.lead_somewhere(rendering(RULE.replace("https://grafana.example", ""))),
                         ["A: dashboard_url is '/d/u?v=1'"])
        self.assertEqual(snippets.lead_somewhere(rendering("kind: ConfigMap\nmetadata: {name: links-1}\n")),
                         ["there are no alerts", "links-1 would be applied"])

    def test_a_plan_that_does_not_go_on_or_does_so_for_ever_is_named(self):
        self.assertEqual(snippets.goes_on(rendering(PLAN)), [])
        self.assertEqual(snippets.goes_on(rendering(PLAN.replace("[resume, ", "[run, "))),
                         ["Job/plan: %s, not %s" % (["run", "/runs/1", "--coordinator=h:1"],
                                                    ["resume", "/runs/1", "--coordinator=h:1"])])
        self.assertEqual(snippets.goes_on(rendering(PLAN.replace("[1, 6]", "[1]"))),
                         ["Job/plan: a stopped plan would be resumed again"])

    def test_models_that_are_missing_or_can_be_written_are_named(self):
        good = [WORKLOAD % names for names in (("Deployment", "teacher", "teacher"), ("Job", "student", "student"),
                                               ("Job", "plan", "plan"))]
        self.assertEqual(snippets.have_models(rendering(*good)), [])
        for old, new, says in ((", readOnly: true", "", "Job/plan: --model-dir=/models is no read-only mount"),
                               ("--model-dir=/models, ", "", "Job/plan: --model-dir=None is no read-only mount"),
                               (", --allow-executable-models", "", "Job/plan: lacks --allow-executable-models"),
                               ("mountPath: /tmp", "mountPath: /tmp, readOnly: true", "Job/plan: cannot write to /tmp"),
                               ("/tmp", "/var/tmp", "Job/plan: cannot write to /tmp"),
                               ("limits: {ephemeral-storage: 2Gi}", "limits: {ephemeral-storage: 64Mi}",
                                "Job/plan: its emptyDirs exceed the limit of ephemeral-storage")):
            self.assertEqual(snippets.have_models(rendering(*good[:2], good[2].replace(old, new))), [says])


if __name__ == "__main__":
    unittest.main()
