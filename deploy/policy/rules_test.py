"""Each rule takes the base as it is rendered, and sees what is planted."""

import copy
import re
import unittest

from deploy.policy import crds, flags, lifecycle_rules, rules
from deploy.policy.flags import Flag
from deploy.policy.rendering import Rendering, digest

BASE = Rendering("base", open("deploy/policy/testdata/base.yaml", encoding="utf-8").read())


def _prod(r):
    """What the rules of overlay prod look at."""
    r.name = "prod"
    for value, component in ((3, "coordinator"), (2, "teacher"), (1, "student")):
        metadata = {"name": component, "labels": dict(r.of("Service")[0]["metadata"]["labels"])}
        r.objects.append({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": value})
        r.workload(component).pod["priorityClassName"] = component
    for each in r.workloads():
        each.container["image"] = "localhost/distillery@sha256:" + 64 * "a"


def _dev(r):
    r.name = "dev-cpu"
    r.workload("teacher").spec["replicas"] = 1
    for each in r.workloads():
        each.container["resources"]["limits"]["memory"] = "400Mi"


def _monitoring(r):
    r.name = "monitoring"
    labels = dict(r.of("Service")[0]["metadata"]["labels"])
    namespace = r.of("Namespace")[0]["metadata"]["name"]
    metadata = {"name": "m", "namespace": namespace, "labels": labels}
    r.objects.append({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": metadata,
        "spec": {"jobLabel": "app.kubernetes.io/name", "selector": {"matchLabels": {"app.kubernetes.io/name": "distillery"}},
                 "podMetricsEndpoints": [{"port": "ops", "path": "/metrics", "relabelings": [
                     {"action": "replace", "sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "process"},
                     {"action": "replace", "separator": "/", "targetLabel": "plan", "sourceLabels": [
                         "__meta_kubernetes_namespace", "__meta_kubernetes_pod_label_app_kubernetes_io_instance"]}]}]}})
    r.objects.append({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": dict(metadata),
        "spec": {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]}})
    r.objects.append({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"run.json": '{"uid": "u"}', "other.json": '{"uid": "v"}'},
        "metadata": {"name": "dashboards", "namespace": namespace, "labels": {**labels, "grafana_dashboard": "1"}}})
    # The last one: rows below take it away.
    peer = {"namespaceSelector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
            "podSelector": {"matchExpressions": [
                {"key": "app.kubernetes.io/name", "operator": "In", "values": ["prometheus"]}]}}
    r.objects.append({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {**metadata, "name": "scrape"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer], "ports": [{"port": 9100}]}]}})


PREPARED = {"base": lambda r: None, "prod": _prod, "dev-cpu": _dev, "monitoring": _monitoring}


def prepared(name):
    r = copy.deepcopy(BASE)
    PREPARED[name](r)
    return r


def pod(component):
    return lambda r: r.workload(component).pod


def container(component):
    return lambda r: r.workload(component).container


def spec(component):
    return lambda r: r.workload(component).spec


def thing(kind, name):
    return lambda r: next(each for each in r.of(kind) if each["metadata"]["name"].startswith(name))


def put(where, path, value):
    """A planted violation: value at path below what `where` finds; None removes it."""
    def plant(r):
        at = where(r)
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value

    return plant


def argument(component, old, new):
    """The first argument that has `old` gets `new` for it; new None removes the argument."""
    def plant(r):
        words = r.workload(component).container["args"]
        place = next(i for i, word in enumerate(words) if old in word)
        words[place:place + 1] = [] if new is None else [words[place].replace(old, new)]

    return plant


def add(where, path, value):
    def plant(r):
        at = where(r)
        for key in path:
            at = at[key]
        at.append(value)

    return plant


def relabelings(change):
    """`change` is done to those of the PodMonitor."""
    return lambda r: change(r.of("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["relabelings"])


OTHER_PEER = {"from": [{"namespaceSelector": {}}], "ports": [{"port": 7100}]}
# Row, rendering, what is planted, what the rule says.
PLANTED = [
    ("counts", "base", lambda r: r.objects.pop(0), "0 of Namespace, not 1"),
    ("counts", "monitoring", lambda r: r.objects.pop(), "6 of NetworkPolicy, not 7"),
    ("selectors", "base", put(spec("teacher"), ["selector", "matchLabels", "a"], "b"), "does not select its own"),
    ("selectors", "base", put(spec("teacher"), ["selector", "matchLabels"], {}), "selects others' pods"),
    ("selectors", "base", put(thing("NetworkPolicy", "plan"), ["spec", "podSelector", "matchLabels", "a"], "b"), "selects nothing"),
    ("K-03", "base", put(container("teacher"), ["image"], "distillery:latest"), "no tag of its own"),
    ("K-03", "base", put(container("teacher"), ["image"], "distillery"), "no tag of its own"),
    ("K-03", "base", put(container("teacher"), ["image"], "host:5000/distillery"), "no tag of its own"),
    ("K-03", "base", put(container("teacher"), ["image"], "other:1"), "several images"),
    ("K-03", "prod", put(container("teacher"), ["image"], "distillery:0.1.0"), "is no digest"),
    ("K-04", "base", put(thing("Service", "teacher"), ["metadata", "labels", "app.kubernetes.io/part-of"], None), "lacks"),
    ("K-04", "base", put(thing("Service", "teacher"), ["metadata", "labels", "app.kubernetes.io/version"], "0.2.0"), "several versions"),
    ("K-04", "base", lambda r: r.workload("teacher").labels.pop("app.kubernetes.io/version"), "pods of Deployment/teacher lack"),
    ("K-04", "base", put(thing("Service", "teacher"), ["spec", "selector", "app.kubernetes.io/version"], "1"), "selects by version"),
    ("K-04", "base", put(spec("coordinator"), ["volumeClaimTemplates", 0, "metadata", "labels", "app.kubernetes.io/version"], "1"),
     "may never change"),
    ("K-05", "base", put(thing("Service", "teacher"), ["metadata", "namespace"], "default"), "in namespace default"),
    ("K-05", "base", put(pod("teacher"), ["serviceAccountName"], "nobody"), "no ServiceAccount nobody"),
    ("K-05", "base", put(thing("ConfigMap", "settings"), ["data", "DISTILL_COORDINATOR"], "other:7000"), "no Service and port"),
    ("K-05", "base", put(thing("ConfigMap", "settings"), ["data", "DISTILL_COORDINATOR"], "coordinator:7001"), "no Service and port"),
    ("K-05", "prod", put(pod("student"), ["priorityClassName"], "none"), "no PriorityClass none"),
    ("K-06", "base", put(thing("PodDisruptionBudget", "teacher"), ["apiVersion"], "policy/v1beta1"), "policy/v1beta1"),
    ("K-06", "base", lambda r: _monitoring(r) or setattr(r, "name", "base"), "monitoring.coreos.com/v1"),
    ("K-07", "base", put(thing("ConfigMap", "plan"), ["metadata", "name"], "plan"), "no hash"),
    ("K-07", "base", put(thing("ConfigMap", "plan"), ["metadata", "name"], "plan-dashboards"), "no hash"),
    ("K-07", "monitoring", put(thing("ConfigMap", "dashboards"), ["metadata", "labels", "grafana_dashboard"], None), "no hash"),
    ("K-09", "dev-cpu", put(container("teacher"), ["resources", "limits", "memory"], "1Gi"), "add up to"),
    ("K-09", "dev-cpu", put(spec("student"), ["parallelism"], 1), "1 of student"),
    ("K-11", "base", put(container("student"), ["livenessProbe"], None), "livenessProbe is not on the ops port"),
    ("K-11", "base", put(container("teacher"), ["startupProbe", "httpGet", "port"], "grpc"), "startupProbe is not"),
    ("K-11", "base", put(container("teacher"), ["ports", 1, "containerPort"], 9101), "port ops is 9101"),
    ("K-11", "base", argument("teacher", "0.0.0.0:9100", "127.0.0.1:9100"), "does not reach"),
    ("K-11", "base", argument("teacher", "--ops-listen", None), "has no --ops-listen"),
    ("K-12", "base", put(container("teacher"), ["livenessProbe", "httpGet", "path"], "/readyz"), "asks /readyz"),
    ("K-13", "base", put(container("teacher"), ["readinessProbe", "httpGet", "path"], "/healthz"), "asks /healthz"),
    ("K-15", "base", put(container("teacher"), ["lifecycle", "preStop"], {"exec": {"command": ["sleep", "5"]}}), "no shell"),
    ("K-15", "base", put(container("teacher"), ["lifecycle"], None), "no preStop"),
    ("K-16", "base", put(pod("teacher"), ["terminationGracePeriodSeconds"], 40), "drain and margin are 40 s"),
    ("K-16", "base", put(container("teacher"), ["lifecycle", "preStop", "sleep", "seconds"], 15), "are 50 s"),
    ("K-19", "base", put(container("plan"), ["resources", "limits", "memory"], None), "no limit of memory"),
    ("K-19", "base", put(container("plan"), ["resources", "requests", "cpu"], None), "requests no cpu"),
    ("K-19", "base", put(container("student"), ["resources", "limits", "cpu"], None), "no limit of CPU"),
    ("K-19", "base", put(container("coordinator"), ["resources", "limits", "cpu"], "1"), "throttled"),
    ("K-19", "base", put(thing("ConfigMap", "settings"), ["data", "DISTILL_TEACHER_THREADS"], "3"), "3 threads on a CPU limit of 2"),
    ("K-22", "base", put(pod("teacher"), ["topologySpreadConstraints", 0, "whenUnsatisfiable"], "DoNotSchedule"), "zone"),
    ("K-22", "base", lambda r: r.workload("teacher").pod["topologySpreadConstraints"].pop(), "hostname"),
    ("K-23", "prod", put(thing("PriorityClass", "student"), ["value"], 9), "not coordinator > teacher > student"),
    ("K-23", "prod", put(pod("teacher"), ["priorityClassName"], None), "teacher has no priority class"),
    ("K-24", "base", put(thing("PodDisruptionBudget", "teacher"), ["spec", "maxUnavailable"], 0), "maxUnavailable 0"),
    ("K-24", "base", put(thing("PodDisruptionBudget", "teacher"), ["spec", "unhealthyPodEvictionPolicy"], None), "not ready"),
    ("K-24", "base", lambda r: r.objects.remove(thing("PodDisruptionBudget", "coordinator")(r)), "lacks a disruption"),
    ("K-24", "base", put(thing("PodDisruptionBudget", "teacher"), ["spec", "selector"], {}), "Job/student has a disruption"),
    ("K-25", "base", put(spec("teacher"), ["strategy", "rollingUpdate", "maxUnavailable"], "25%"), "maxUnavailable 25%"),
    ("K-26", "base", put(spec("teacher"), ["minReadySeconds"], None), "minReadySeconds"),
    ("K-26", "base", put(spec("teacher"), ["progressDeadlineSeconds"], 600), "shorter"),
    ("K-27", "base", argument("student", "$(INDEX)", "0"), "is the same in each pod"),
    ("K-27", "base", argument("student", "$(POD_IP)", "0.0.0.0"), "not the pod's address"),
    ("K-27", "base", argument("teacher", "$(POD_IP)", "0.0.0.0"), "not the pod's address"),
    ("K-27", "base", argument("teacher", "$(DISTILL_RUN_DIR)", "$(OTHER)"), "$(OTHER) is not defined"),
    ("K-28", "base", put(container("plan"), ["resources", "limits", "ephemeral-storage"], None), "limits of ephemeral"),
    ("K-28", "base", add(pod("teacher"), ["volumes"], {"name": "x", "emptyDir": {}}), "without sizeLimit"),
    ("K-28", "base", add(pod("teacher"), ["volumes"], {"name": "x", "emptyDir": {"sizeLimit": "5Gi"}}), "exceed"),
    ("K-29", "base", put(spec("student"), ["completionMode"], None), "no Indexed Job"),
    ("K-29", "base", put(spec("student"), ["completions"], 3), "start 2 of 3"),
    ("K-29", "base", put(spec("student"), ["backoffLimitPerIndex"], None), "backoffLimitPerIndex"),
    ("K-29", "base", lambda r: spec("student")(r)["podFailurePolicy"]["rules"].pop(0), "disruption counts"),
    ("K-29", "base", lambda r: spec("student")(r)["podFailurePolicy"]["rules"].pop(1), "told to stop"),
    ("K-29", "base", lambda r: spec("plan")(r)["podFailurePolicy"]["rules"].pop(1), "plan: usage"),
    ("K-30", "base", put(spec("student"), ["podReplacementPolicy"], "TerminatingOrFailed"), "overlap"),
    ("K-33", "base", put(spec("student"), ["ttlSecondsAfterFinished"], None), "stays for good"),
    ("storage", "base", put(spec("coordinator"), ["replicas"], 2), "one writer"),
    ("storage", "base", argument("coordinator", "/var/lib/distill", "/elsewhere"), "not on its volume"),
    ("storage", "base", put(thing("ConfigMap", "settings"), ["data", "DISTILL_RUN_DIR"], "/tmp/run"), "no shared volume"),
    ("K-36", "base", put(pod("student"), ["tolerations"], None), "for 300 s"),
    ("K-37", "base", put(thing("Service", "teacher"), ["spec", "clusterIP"], None), "not headless"),
    ("K-37", "base", put(thing("Service", "teacher"), ["spec", "publishNotReadyAddresses"], True), "is not False"),
    ("K-37", "base", put(thing("Service", "teacher"), ["spec", "ports", 0, "port"], 7200), "leads nowhere"),
    ("K-37", "base", put(thing("Service", "teacher"), ["spec", "ports", 0, "appProtocol"], None), "appProtocol grpc"),
    ("K-37", "base", argument("coordinator", ":7000", ":7001"), "is not --listen's 7001"),
    ("K-37", "base", put(thing("Service", "teacher"), ["spec", "selector", "a"], "b"), "0 Services select"),
    ("K-39", "base", lambda r: r.objects.remove(thing("NetworkPolicy", "default-deny")(r)), "not denied by default"),
    ("K-39", "base", lambda r: r.objects.remove(thing("NetworkPolicy", "coordinator")(r)), "student cannot reach coordinator"),
    ("K-39", "base", lambda r: r.objects.remove(thing("NetworkPolicy", "dns")(r)), "teacher cannot reach dns on 53"),
    ("K-39", "base", add(thing("NetworkPolicy", "teacher"), ["spec", "ingress"], OTHER_PEER), "anybody may reach teacher on 7100"),
    ("K-39", "base", add(thing("NetworkPolicy", "teacher"), ["spec", "ingress"], {"ports": [{"port": 7100}]}), "anybody may reach"),
    ("K-39", "base", add(thing("NetworkPolicy", "student"), ["spec", "egress"], {}), "student may reach anybody on any port"),
    ("K-39", "base", put(thing("NetworkPolicy", "teacher"), ["spec", "ingress", 0, "ports"], None), "teacher on any port"),
    # What Kustomize's labels with includeSelectors do to a peer that is not ours.
    ("K-39", "base", put(thing("NetworkPolicy", "dns"), ["spec", "egress", 0, "to", 0, "podSelector", "matchLabels"],
                         {"app.kubernetes.io/name": "distillery"}), "student cannot reach dns"),
    ("K-39", "monitoring", lambda r: r.objects.pop(), "prometheus cannot reach teacher on 9100"),
    ("K-39", "monitoring", lambda r: r.objects[-1]["spec"]["ingress"][0]["from"][0].update(namespaceSelector={}), "anybody may reach"),
    ("K-43", "base", put(thing("Namespace", ""), ["metadata", "labels", "pod-security.kubernetes.io/enforce"], "baseline"), "enforce"),
    ("K-43", "base", put(pod("plan"), ["securityContext", "runAsNonRoot"], False), "runs as root"),
    ("K-43", "base", put(pod("plan"), ["securityContext", "runAsUser"], 1000), "runs as root"),
    ("K-43", "base", put(pod("plan"), ["securityContext", "seccompProfile"], None), "seccomp"),
    ("K-43", "base", put(container("plan"), ["securityContext", "allowPrivilegeEscalation"], None), "escalates"),
    ("K-43", "base", put(container("plan"), ["securityContext", "capabilities"], {"drop": ["ALL"], "add": ["CHOWN"]}), "capabilities"),
    ("K-43", "base", put(pod("plan"), ["hostIPC"], True), "host's namespaces"),
    ("K-43", "base", add(pod("plan"), ["volumes"], {"name": "x", "hostPath": {"path": "/"}}), "hostPath"),
    ("K-43", "base", put(pod("plan"), ["initContainers"], [{"name": "x"}]), "several containers"),
    ("K-44", "base", put(container("plan"), ["securityContext", "readOnlyRootFilesystem"], None), "writes to its root"),
    ("K-45", "base", put(pod("plan"), ["serviceAccountName"], "student"), "share a ServiceAccount"),
    ("K-45", "base", put(pod("plan"), ["automountServiceAccountToken"], None), "pods mount a token"),
    ("K-45", "base", put(thing("ServiceAccount", "plan"), ["automountServiceAccountToken"], None), "account mount a token"),
    ("K-45", "base", put(thing("Service", "teacher"), ["kind"], "ClusterRole"), "ClusterRole/teacher"),
    ("K-48", "base", add(container("plan"), ["envFrom"], {"secretRef": {"name": "x"}}), "secret as environment"),
    ("K-48", "base", put(container("plan"), ["env"], [{"name": "X", "valueFrom": {"secretKeyRef": {}}}]), "X is a secret"),
    ("K-51", "base", put(container("teacher"), ["volumeMounts", 0, "readOnly"], None), "may write"),
    ("K-55", "base", lambda r: r.workload("teacher").template["metadata"].pop("annotations"), "Deployment/teacher does not say"),
    ("K-55", "base", lambda r: r.workload("student").template["metadata"].pop("annotations"), "Job/student does not say"),
    ("K-56", "monitoring", lambda r: r.of("PodMonitor")[0]["spec"].pop("jobLabel"), "not distill"),
    ("K-56", "monitoring", lambda r: r.of("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0].update(port="metrics"), "has no /metrics"),
    ("K-56", "monitoring", lambda r: r.of("PodMonitor")[0]["spec"]["selector"]["matchLabels"].update(a="b"), "misses"),
    ("K-56", "monitoring", relabelings(lambda made: made.pop(0)), "no relabeling makes label process"),
    ("K-56", "monitoring", relabelings(lambda made: made.pop(1)), "no relabeling makes label plan"),
    ("K-56", "monitoring", relabelings(lambda made: made.clear()), "no relabeling makes label plan"),
    ("K-56", "monitoring", relabelings(lambda made: made[1].update(regex="(.*)/.*")), "no relabeling makes label plan"),
    ("K-56", "monitoring", relabelings(lambda made: made[1]["sourceLabels"].pop(0)), "two namespaces have one label plan"),
    ("K-56", "monitoring", relabelings(lambda made: made[1]["sourceLabels"].pop(1)), "two instances in a namespace have one label plan"),
    ("K-56", "monitoring", relabelings(lambda made: made[0].update(sourceLabels=["__meta_kubernetes_namespace"])), "two pods have one"),
    ("K-56", "monitoring", relabelings(lambda made: made[1]["sourceLabels"].append("__meta_kubernetes_pod_name")), "several labels plan"),
    ("K-57", "monitoring", lambda r: r.of("PrometheusRule")[0]["spec"]["groups"][0]["rules"].pop(), "no alerts"),
    ("K-57", "monitoring", put(thing("ConfigMap", "dashboards"), ["metadata", "labels", "grafana_dashboard"], "yes"), "sidecar takes"),
    ("K-57", "monitoring", put(thing("ConfigMap", "dashboards"), ["metadata", "labels", "grafana_dashboard"], None), "no uids"),
    ("K-57", "monitoring", put(thing("ConfigMap", "dashboards"), ["metadata", "name"], "dashboards-24bcdfgh6k"), "an older one"),
    ("K-57", "monitoring", put(thing("ConfigMap", "dashboards"), ["data", "other.json"], '{"uid": "u"}'), "no uids"),
    ("K-59", "base", put(container("teacher"), ["ports", 1, "containerPort"], 7100), "serves metrics where"),
]
PLANTED_ROWS = {row for row, _, _, _ in PLANTED}
RULE = {row: rule for row, _, rule in rules.RULES}


class RulesTest(unittest.TestCase):
    def test_every_rule_takes_the_base_and_what_overlays_add(self):
        for name in PREPARED:
            for row, _, rule in rules.RULES:
                with self.subTest(rendering=name, row=row):
                    self.assertEqual([], rule(prepared(name)))

    def test_every_rule_sees_what_is_planted(self):
        for row, name, plant, says in PLANTED:
            with self.subTest(row=row, says=says):
                r = prepared(name)
                plant(r)
                problems = RULE[row](r)
                self.assertTrue(any(says in each for each in problems), problems)

    def test_no_rule_is_without_a_planted_violation(self):
        self.assertEqual(set(RULE), PLANTED_ROWS)

    def test_every_row_of_the_checklist_is_in_one_table(self):
        named = [row for table in (rules.RULES, rules.ELSEWHERE, rules.OPEN, rules.ABSENT) for row, *_ in table]
        named = [row for row in named + rules.OF_CHECK if row.startswith("K-")]
        self.assertEqual(sorted(named), ["K-%02d" % number for number in range(1, 66)])

    def test_an_argument_that_no_program_takes_is_seen(self):
        programs = {command: {} for command in flags.COMMANDS}
        self.assertIn("coordinator has no flag --run-dir", rules.program_flags(prepared("base"), programs))
        r = prepared("base")
        r.workload("teacher").container["command"] = ["/bin/sh"]
        argument("plan", "run", "rum")(r)
        found = rules.program_flags(r, programs)
        self.assertIn("Deployment/teacher runs sh, which is none of our programs", found)
        self.assertIn("Job/plan runs distillctl rum, which is none of our programs", found)

    def test_a_required_flag_that_is_missing_is_seen(self):
        known = {"--run-dir": Flag(True, True)}
        r = prepared("base")
        argument("student", "--run-dir", None)(r)
        programs = {command: known for command in flags.COMMANDS}
        self.assertIn("student_worker requires --run-dir", rules.program_flags(r, programs))

    def test_the_drain_of_a_role_is_what_its_source_says(self):
        def seconds(path, name):
            with open(path, encoding="utf-8") as source:
                return int(re.search(name + r" = absl::Seconds\((\d+)\)", source.read())[1])

        teacher = "teacher_server/teacher_process.cc"
        # It waits for the cache's disk as it stops.
        self.assertGreaterEqual(lifecycle_rules.DRAIN_SECONDS["teacher"],
                                seconds(teacher, "kDrainTimeout") + seconds(teacher, "kCacheTimeout"))
        self.assertGreaterEqual(lifecycle_rules.DRAIN_SECONDS["coordinator"],
                                seconds("coordinator/coordinator_process.cc", "kShutdownGrace"))

    def test_the_manifests_are_those_that_were_checked_last(self):
        with open("deploy/policy/testdata/kustomize.sha256", encoding="utf-8") as checked:
            self.assertEqual(checked.read().strip(), digest("deploy/kustomize"), "run: deploy/check --update")

    def test_the_plan_of_the_base_is_the_example(self):
        with open("examples/small.yaml", encoding="utf-8") as example:
            plan = next(each for each in BASE.of("ConfigMap") if each["metadata"]["name"].startswith("plan-"))
            self.assertEqual(example.read(), plan["data"]["plan.yaml"])


class CustomResourcesTest(unittest.TestCase):
    def test_an_unknown_field_and_a_wrong_type_are_seen(self):
        monitor = prepared("monitoring").of("PodMonitor")[0]
        self.assertEqual([], crds.problems(monitor))
        monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "15s"
        monitor["spec"]["selector"] = []
        self.assertEqual(["spec.podMetricsEndpoints[0].intervall: unknown field", "spec.selector: is no dict"],
                         sorted(crds.problems(monitor)))


if __name__ == "__main__":
    unittest.main()
