"""Rules of how pods start, are found well, roll, fail and end."""

from deploy.policy.rendering import OPS_ROLES, selects, title

# Seconds from SIGTERM to the end, at most; rules_test.py holds those of coordinator and teacher to
# the sources. Student and plan wait for nothing: at most for the step, or the disk, in hand.
DRAIN_SECONDS = {"coordinator": 2, "teacher": 30, "student": 20, "plan": 5}
MARGIN_SECONDS = 5


def probes(r):
    found = []
    for each in r.workloads():
        listens = each.flags().get("--ops-listen")
        if each.component in OPS_ROLES and listens is None:
            found.append("%s has no --ops-listen" % each)
        if listens is None:
            continue
        host, _, port = listens.rpartition(":")
        if host.startswith("127.") or host == "localhost":
            found.append("%s: a probe does not reach %s" % (each, listens))
        if each.port("ops") != int(port):
            found.append("%s: port ops is %s, --ops-listen %s" % (each, each.port("ops"), port))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            http = each.container.get(probe, {}).get("httpGet", {})
            if http.get("port") != "ops":
                found.append("%s: %s is not on the ops port" % (each, probe))
    return found


def asks(probe, wanted):
    def rule(r):
        found = []
        for each in r.workloads():
            path = each.container.get(probe, {}).get("httpGet", {}).get("path")
            if each.component in OPS_ROLES and path != wanted:
                found.append("%s: %s asks %s" % (each, probe, path))
        return found

    return rule


def pre_stop(r):
    found = []
    for each in r.workloads():
        for moment, hook in each.container.get("lifecycle", {}).items():
            if moment != "preStop" or list(hook) != ["sleep"]:
                found.append("%s: %s by %s; the image has no shell" % (each, moment, ", ".join(hook)))
    if "preStop" not in r.workload("teacher").container.get("lifecycle", {}):
        found.append("teachers have no preStop")
    return found


def grace(r):
    found = []
    for each in r.workloads():
        sleep = each.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = sleep + DRAIN_SECONDS[each.component] + MARGIN_SECONDS
        if each.pod.get("terminationGracePeriodSeconds", 30) <= needed:
            found.append("%s: grace %s s, and preStop, drain and margin are %d s"
                         % (each, each.pod.get("terminationGracePeriodSeconds"), needed))
    return found


def rolling_update(r):
    update = r.workload("teacher").spec.get("strategy", {}).get("rollingUpdate", {})
    have = (update.get("maxUnavailable"), update.get("maxSurge"))
    return [] if have in ((0, 1), (1, 0)) else ["teachers roll by maxUnavailable %s, maxSurge %s" % have]


def roll_times(r):
    spec = r.workload("teacher").spec
    found = [] if spec.get("minReadySeconds", 0) > 0 else ["minReadySeconds is missing"]
    if spec.get("progressDeadlineSeconds", 600) < 3600:
        found.append("progressDeadlineSeconds is shorter than the training of a model")
    return found


def disruption(r):
    found = []
    budgets = r.of("PodDisruptionBudget")
    for thing in budgets:
        if thing["spec"].get("maxUnavailable") not in (1, "25%"):
            found.append("%s: maxUnavailable %s" % (title(thing), thing["spec"].get("maxUnavailable")))
        if thing["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            found.append("%s holds pods that are not ready, as teachers before their model is" % title(thing))
    for each in r.workloads():
        has = any(selects(thing["spec"]["selector"], each.labels) for thing in budgets)
        if has != (each.component in ("coordinator", "teacher")):
            found.append("%s %s a disruption budget" % (each, "has" if has else "lacks"))
    return found


def indexed_job(r):
    spec = r.workload("student").spec
    found = [] if spec.get("completionMode") == "Indexed" else ["students are no Indexed Job"]
    if spec.get("completions") != spec.get("parallelism"):
        found.append("students start %s of %s" % (spec.get("parallelism"), spec.get("completions")))
    if "backoffLimitPerIndex" not in spec:
        found.append("backoffLimitPerIndex is missing")
    for component in ("student", "plan"):
        rules = r.workload(component).spec.get("podFailurePolicy", {}).get("rules", [])
        ignored = [rule for rule in rules if rule["action"] == "Ignore"
                   and {"type": "DisruptionTarget", "status": "True"} in rule.get("onPodConditions", [])]
        ends = {code for rule in rules if rule["action"] == "FailJob"
                for code in rule.get("onExitCodes", {}).get("values", [])}
        found += [] if ignored else ["%s: a disruption counts as a failure" % component]
        if component == "student":
            left = {code for rule in rules if rule["action"] == "Ignore"
                    for code in rule.get("onExitCodes", {}).get("values", [])}
            found += [] if 6 in left else ["student: one that was told to stop counts as failed"]
        found += [] if {2, 3} <= ends else ["%s: usage and configuration errors are tried again" % component]
    return found


def replacement(r):
    return ["%s may overlap with its successor" % each for each in r.workloads()
            if each.kind == "Job" and each.spec.get("podReplacementPolicy") != "Failed"]


def ttl(r):
    return ["%s stays for good" % each for each in r.workloads()
            if each.kind == "Job" and not each.spec.get("ttlSecondsAfterFinished")]


def eviction(r):
    """A worker counts as gone after 5 s; its pod goes soon after its node."""
    have = {each.get("key"): each.get("tolerationSeconds", 300) for each in r.workload("student").pod.get("tolerations", [])}
    return ["students stay on a node that is %s for %s s" % (key, have.get("node.kubernetes.io/" + key, 300))
            for key in ("unreachable", "not-ready") if not 5 < have.get("node.kubernetes.io/" + key, 300) <= 60]
