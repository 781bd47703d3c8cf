"""What deploy/ promises, one function for each row: rendering to a list of what is wrong.

The rows' numbers are those of the platform checklist that the project holds itself to."""

import json
import re

from deploy.policy import flags as flag_rules
from deploy.policy.network import EDGES, egress_edges, ingress_edges
from deploy.policy.rendering import quantity, selects, title

# Seconds from SIGTERM to the end, at most; rules_test.py holds them to the sources.
DRAIN_SECONDS = {"coordinator": 2, "teacher": 30, "student": 20, "plan": 5}
MARGIN_SECONDS = 5
COUNTS = {"Namespace": 1, "ServiceAccount": 4, "ConfigMap": 2, "Service": 2, "PersistentVolumeClaim": 1,
          "Deployment": 1, "StatefulSet": 1, "Job": 2, "PodDisruptionBudget": 2, "NetworkPolicy": 6}
MORE = {"prod": {"PriorityClass": 3}, "monitoring": {"PodMonitor": 1, "NetworkPolicy": 1, "PrometheusRule": 1, "ConfigMap": 1}}
# Served by the three newest minors, and longer.
API_VERSIONS = {"v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1", "scheduling.k8s.io/v1"}
LABELS = ["app.kubernetes.io/" + each for each in ("name", "instance", "version", "component", "part-of", "managed-by")]
# What Kustomize appends to a name: ten digits of its own alphabet.
HASHED = re.compile(r"-[2456789bcdfghkmt]{10}$")
OPS_ROLES = ("coordinator", "teacher", "student")


def counts(r):
    wanted = dict(COUNTS)
    for kind, number in MORE.get(r.name, {}).items():
        wanted[kind] = wanted.get(kind, 0) + number
    have = r.counts()
    return ["%d of %s, not %d" % (have.get(kind, 0), kind, wanted.get(kind, 0))
            for kind in sorted(set(wanted) | set(have)) if have.get(kind, 0) != wanted.get(kind, 0)]


def images(r):
    found = []
    names = {each.container["image"] for each in r.workloads()}
    if len(names) > 1:
        found.append("several images: " + ", ".join(sorted(names)))
    for name in names:
        if r.name == "prod" and not re.search(r"@sha256:[0-9a-f]{64}$", name):
            found.append(name + " is no digest")
        elif "@" not in name and (":" not in name.rpartition("/")[2] or name.endswith(":latest")):
            found.append(name + " has no tag of its own")
    return found


def labels(r):
    found = []
    for thing in r.objects:
        wanted = [each for each in LABELS
                  if thing["kind"] not in ("Namespace", "ConfigMap") or not each.endswith("/component")]
        found += ["%s lacks %s" % (title(thing), each) for each in wanted
                  if each not in thing["metadata"].get("labels", {})]
    for each in r.workloads():
        found += ["pods of %s lack %s" % (each, label) for label in LABELS if label not in each.labels]
        for claim in each.spec.get("volumeClaimTemplates", []):
            if any(label.endswith("/version") for label in claim["metadata"].get("labels", {})):
                found.append("%s: a volume claim template may never change, so no version" % each)
    versions = {thing["metadata"].get("labels", {}).get("app.kubernetes.io/version") for thing in r.objects}
    if len(versions) > 1:
        found.append("several versions: %s" % sorted(map(str, versions)))
    for thing in r.objects:
        selector = thing.get("spec", {}).get("selector") or {}
        if "app.kubernetes.io/version" in selector.get("matchLabels", selector):
            found.append("%s selects by version" % title(thing))
    return found


def namespaces_and_names(r):
    """One namespace, and every name that is referred to is that of an object here."""
    found = []
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in r.objects}
    namespace = next(thing["metadata"]["name"] for thing in r.of("Namespace"))
    for thing in r.objects:
        if thing["kind"] in ("Namespace", "PriorityClass"):
            continue
        if thing["metadata"].get("namespace") != namespace:
            found.append("%s is in namespace %s" % (title(thing), thing["metadata"].get("namespace")))
    for each in r.workloads():
        wanted = [("ServiceAccount", each.pod["serviceAccountName"])]
        wanted += [("ConfigMap", source["configMapRef"]["name"]) for source in each.container.get("envFrom", [])]
        wanted += [("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                   for volume in each.pod.get("volumes", []) if "persistentVolumeClaim" in volume]
        wanted += [("ConfigMap", volume["configMap"]["name"])
                   for volume in each.pod.get("volumes", []) if "configMap" in volume]
        wanted += [("PriorityClass", each.pod["priorityClassName"])] if "priorityClassName" in each.pod else []
        wanted += [("Service", each.spec["serviceName"])] if "serviceName" in each.spec else []
        found += ["%s: there is no %s %s" % (each, kind, name) for kind, name in wanted if (kind, name) not in names]
        coordinator = each.flags().get("--coordinator")
        if coordinator is None:
            continue
        host, _, port = coordinator.rpartition(":")
        service = r.named("Service", host)
        if service is None or int(port) not in [each["port"] for each in service["spec"]["ports"]]:
            found.append("%s: --coordinator=%s is no Service and port here" % (each, coordinator))
    return found


def api_versions(r):
    known = API_VERSIONS | ({"monitoring.coreos.com/v1"} if r.name == "monitoring" else set())
    return ["%s is of %s" % (title(thing), thing["apiVersion"]) for thing in r.objects if thing["apiVersion"] not in known]


def boards(r):
    return [thing for thing in r.of("ConfigMap") if "grafana_dashboard" in thing["metadata"].get("labels", {})]


def config_maps(r):
    found = []
    for thing in r.of("ConfigMap"):
        name = thing["metadata"]["name"]
        if thing in boards(r):
            continue  # Grafana reads it, no pod of ours
        if not HASHED.search(name):
            found.append("ConfigMap/%s has no hash in its name" % name)
    return found


def small_enough(r):
    if r.name != "dev-cpu":
        return []
    total = sum(each.replicas * quantity(each.container["resources"]["limits"]["memory"]) for each in r.workloads())
    found = ["memory limits add up to %d MiB" % (total / 2**20)] if total > 2**31 else []
    for component, wanted in (("coordinator", 1), ("teacher", 1), ("student", 2)):
        have = r.workload(component).replicas
        found += ["%d of %s" % (have, component)] if have != wanted else []
    return found


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


def _path(probe, wanted):
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


def resources(r):
    found = []
    for each in r.workloads():
        asked = each.container.get("resources", {})
        requests, limits = asked.get("requests", {}), asked.get("limits", {})
        found += ["%s requests no %s" % (each, name) for name in ("cpu", "memory") if name not in requests]
        found += ["%s has no limit of memory" % each] if "memory" not in limits else []
        if each.component == "coordinator" and "cpu" in limits:
            found.append("the coordinator would be throttled")
        threads = int(each.flags().get("--threads") or 0)
        if "cpu" in limits and quantity(limits["cpu"]) < threads:
            found.append("%s: %d threads on a CPU limit of %s" % (each, threads, limits["cpu"]))
        if each.component != "coordinator" and "cpu" not in limits:
            found.append("%s has no limit of CPU" % each)
    return found


def spread(r):
    constraints = r.workload("teacher").pod.get("topologySpreadConstraints", [])
    have = {each["topologyKey"]: each["whenUnsatisfiable"] for each in constraints}
    return ["teachers are not spread by %s, ScheduleAnyway" % key
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname") if have.get(key) != "ScheduleAnyway"]


def priorities(r):
    if r.name != "prod":
        return []
    values = []
    for component in OPS_ROLES:
        name = r.workload(component).pod.get("priorityClassName")
        thing = r.named("PriorityClass", name)
        if thing is None:
            return ["%s has no priority class" % component]
        values.append(thing["value"])
    return [] if values[0] > values[1] > values[2] else ["priorities are not coordinator > teacher > student: %s" % values]


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


def identities(r):
    found = []
    for each in r.workloads():
        if each.component not in OPS_ROLES:
            continue
        name = each.flags().get("--name") or ""
        if "{metadata." not in name:
            found.append("%s: --name=%s is the same in each pod" % (each, name))
        found += ["%s: %s is not defined" % (each, word) for word in each.arguments() if "$(" in word]
    for component, flag in (("teacher", "--listen"), ("student", "--bind-host")):
        if "{status.podIP}" not in (r.workload(component).flags().get(flag) or ""):
            found.append("%s: %s is not the pod's address, which others are told" % (component, flag))
    return found


def ephemeral(r):
    found = []
    for each in r.workloads():
        asked = each.container.get("resources", {})
        for kind in ("requests", "limits"):
            if "ephemeral-storage" not in asked.get(kind, {}):
                found.append("%s: %s of ephemeral-storage are missing" % (each, kind))
        sizes = [quantity(volume["emptyDir"]["sizeLimit"]) if volume["emptyDir"].get("sizeLimit") else None
                 for volume in each.pod.get("volumes", []) if "emptyDir" in volume]
        if None in sizes:
            found.append("%s: an emptyDir without sizeLimit" % each)
        elif sum(sizes) > quantity(asked.get("limits", {}).get("ephemeral-storage", 0)):
            found.append("%s: its emptyDirs exceed the limit of ephemeral-storage" % each)
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


def services(r):
    found = []
    for component, early in (("coordinator", True), ("teacher", False)):
        each = r.workload(component)
        takers = [thing for thing in r.of("Service") if selects({"matchLabels": thing["spec"]["selector"]}, each.labels)]
        if len(takers) != 1:
            found.append("%d Services select %s" % (len(takers), each))
            continue
        spec = takers[0]["spec"]
        found += [] if spec.get("clusterIP") == "None" else ["Service of %s is not headless" % component]
        if spec.get("publishNotReadyAddresses", False) != early:
            found.append("Service of %s: publishNotReadyAddresses is not %s" % (component, early))
        for port in spec["ports"]:
            if each.port(port["targetPort"]) != port["port"]:
                found.append("Service of %s: port %s leads nowhere" % (component, port["name"]))
        listen = int((each.flags().get("--listen") or ":0").rpartition(":")[2])
        if [(port["port"], port.get("appProtocol")) for port in spec["ports"] if port["name"] == "grpc"] != [(listen, "grpc")]:
            found.append("Service of %s: port grpc is not --listen's %d, appProtocol grpc" % (component, listen))
    return found


def selectors(r):
    """What selects, selects the pods of one workload (a network policy: of some)."""
    found = []
    for each in r.workloads():
        own = each.spec.get("selector")
        if own is not None and not selects(own, each.labels):
            found.append("%s does not select its own pods" % each)
        if own is not None and any(selects(own, other.labels) for other in r.workloads() if other.name != each.name):
            found.append("%s selects others' pods" % each)
    for thing in r.of("NetworkPolicy"):
        if not any(selects(thing["spec"]["podSelector"], each.labels) for each in r.workloads()):
            found.append("%s selects nothing" % title(thing))
    return found


def network(r):
    found = []
    for kind in ("Ingress", "Egress"):
        if not any(thing["spec"]["podSelector"] == {} and kind in thing["spec"]["policyTypes"]
                   and kind.lower() not in thing["spec"] for thing in r.of("NetworkPolicy")):
            found.append("%s is not denied by default" % kind)
    wanted = EDGES | ({("prometheus", each, 9100) for each in (*OPS_ROLES, "plan")} if r.name == "monitoring" else set())
    for name, have, want in (
            ("in", ingress_edges(r), wanted),
            ("out", egress_edges(r), EDGES | {(each, "dns", 53) for each in (*OPS_ROLES, "plan")})):
        found += ["%s: %s may reach %s on %s" % ((name,) + edge) for edge in sorted(have - want, key=str)]
        found += ["%s: %s cannot reach %s on %s" % ((name,) + edge) for edge in sorted(want - have, key=str)]
    return found


def restricted(r):
    """Pod Security `restricted`, and the namespace enforces it."""
    found = []
    for thing in r.of("Namespace"):
        if thing["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            found.append("%s does not enforce restricted" % title(thing))
    for each in r.workloads():
        pod, own = each.pod.get("securityContext", {}), each.container.get("securityContext", {})
        held = {
            "runs as root": pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) >= 10000
                            and pod.get("runAsGroup", 0) >= 10000 and not own.get("runAsUser"),
            "lacks seccomp": pod.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "escalates": own.get("allowPrivilegeEscalation") is False and not own.get("privileged"),
            "keeps capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "shares the host's namespaces": not any(each.pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
            "has several containers": len(each.pod["containers"]) == 1 and "initContainers" not in each.pod,
        }
        found += ["%s %s" % (each, what) for what, holds in held.items() if not holds]
        allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI", "ephemeral"}
        found += ["%s has a volume of kind %s" % (each, kind) for volume in each.pod.get("volumes", [])
                  for kind in set(volume) - {"name"} - allowed]
    return found


def read_only_root(r):
    return ["%s writes to its root" % each for each in r.workloads()
            if each.container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True]


def accounts(r):
    found = [title(thing) for thing in r.objects if "Role" in thing["kind"]]
    users = [each.pod.get("serviceAccountName") for each in r.workloads()]
    if len(set(users)) < len(users):
        found.append("roles share a ServiceAccount")
    for each in r.workloads():
        account = r.named("ServiceAccount", each.pod.get("serviceAccountName")) or {}
        for what, thing in (("pods", each.pod), ("account", account)):
            if thing.get("automountServiceAccountToken") is not False:
                found.append("%s: %s mount a token" % (each, what))
    return found


def secrets(r):
    found = [title(thing) for thing in r.of("Secret")]
    for each in r.workloads():
        found += ["%s: %s is a secret in the environment" % (each, variable["name"])
                  for variable in each.container.get("env", []) if "secretKeyRef" in variable.get("valueFrom", {})]
        found += ["%s: a secret as environment" % each
                  for source in each.container.get("envFrom", []) if "secretRef" in source]
    return found


def models_read_only(r):
    each = r.workload("teacher")
    run_dir = each.flags().get("--run-dir") or "/"
    over = [(path, only) for path, only, _ in each.mounts() if (run_dir + "/").startswith(path + "/")]
    return [] if over and all(only for _, only in over) else ["teachers may write %s" % run_dir]


def storage(r):
    found = []
    journal = r.workload("coordinator")
    claims = journal.spec.get("volumeClaimTemplates", [])
    if journal.replicas != 1 or [each["spec"]["accessModes"] for each in claims] != [["ReadWriteOnce"]]:
        found.append("the journal wants one writer and a volume of its own")
    if journal.flags().get("--run-dir") not in [path for path, _, _ in journal.mounts()]:
        found.append("the journal is not on its volume")
    for component in ("teacher", "student", "plan"):
        each = r.workload(component)
        run_dir = (each.flags().get("--run-dir") or "") + "/"
        if not any(run_dir.startswith(path + "/") and "persistentVolumeClaim" in (volume or {})
                   for path, _, volume in each.mounts()):
            found.append("%s: %s is on no shared volume" % (each, run_dir))
    return found


def ops_port_alone(r):
    return ["%s serves metrics where it serves data" % each for each in r.workloads()
            if each.port("ops") and each.port("ops") == each.port("grpc")]


def pod_monitor(r):
    if r.name != "monitoring":
        return []
    found = []
    spec = r.of("PodMonitor")[0]["spec"]
    for each in r.workloads():
        if each.component not in OPS_ROLES:
            continue
        if not selects(spec["selector"], each.labels):
            found.append("the PodMonitor misses %s" % each)
        job = each.labels.get(spec.get("jobLabel"), "")
        if not job.startswith("distill"):
            found.append("%s is scraped as job '%s', not distill..., which DistillTargetDown looks for" % (each, job))
        for endpoint in spec["podMetricsEndpoints"]:
            if each.port(endpoint["port"]) is None or endpoint["path"] != "/metrics":
                found.append("%s has no %s at port %s" % (each, endpoint["path"], endpoint["port"]))
    return found


def rules_and_boards(r):
    """Alerts, and boards where Grafana's sidecar looks, each once and under a name that stays."""
    if r.name != "monitoring":
        return []
    found = []
    alerts = [rule for thing in r.of("PrometheusRule") for group in thing["spec"]["groups"]
              for rule in group["rules"] if "alert" in rule]
    found += [] if alerts else ["there are no alerts"]
    uids = []
    for thing in boards(r):
        if thing["metadata"]["labels"]["grafana_dashboard"] != "1":
            found.append("%s: the sidecar takes grafana_dashboard: \"1\"" % title(thing))
        if HASHED.search(thing["metadata"]["name"]):
            found.append("%s: an older one would stay beside it" % title(thing))
        uids += [json.loads(text).get("uid") for text in thing["data"].values()]
    if not uids or None in uids or len(set(uids)) < len(uids):
        found.append("boards have no uids of their own: %s" % uids)
    return found


def program_flags(r, programs):
    """`programs`: name to the flags it takes, see flags.py."""
    found = []
    for each in r.workloads():
        if each.program() not in programs:
            found.append("%s runs %s, which is none of our programs" % (each, each.program()))
            continue
        found += flag_rules.problems(each.program(), each.container.get("args", []), programs[each.program()])
    return found


RULES = [
    ("counts", "as many objects of each kind as there should be", counts),
    ("selectors", "select what they should, and only that", selectors),
    ("K-03", "one image, with a tag; in prod a digest", images),
    ("K-04", "recommended labels; selectors without version", labels),
    ("K-05", "one namespace; every name referred to is there", namespaces_and_names),
    ("K-06", "API versions that the newest minors serve", api_versions),
    ("K-07", "ConfigMaps with a hash in the name", config_maps),
    ("K-09", "dev-cpu: 1 coordinator, 1 teacher, 2 students, 2 GiB", small_enough),
    ("K-11", "three probes on the ops port, which they reach", probes),
    ("K-12", "liveness asks /healthz, which knows no peers", _path("livenessProbe", "/healthz")),
    ("K-13", "readiness asks /readyz", _path("readinessProbe", "/readyz")),
    ("K-15", "preStop is the native sleep", pre_stop),
    ("K-16", "grace exceeds preStop, drain and a margin", grace),
    ("K-19", "requests and limits; threads within the CPU limit", resources),
    ("K-22", "teachers are spread by zone and host", spread),
    ("K-23", "prod: priority coordinator > teacher > student", priorities),
    ("K-24", "disruption budgets of coordinator and teachers", disruption),
    ("K-25", "a rolling update of teachers", rolling_update),
    ("K-26", "times of a roll fit the training of a model", roll_times),
    ("K-27", "names and addresses come from the pod", identities),
    ("K-28", "ephemeral storage is bounded", ephemeral),
    ("K-29", "students: Indexed Job, failures told apart", indexed_job),
    ("K-30", "no two pods of one index", replacement),
    ("K-33", "finished Jobs go", ttl),
    ("storage", "journal on its own volume, runs on the shared one", storage),
    ("K-36", "students leave a dead node soon", eviction),
    ("K-37", "headless Services, ports that are served", services),
    ("K-39", "default deny, and exactly the needed edges", network),
    ("K-43", "Pod Security restricted", restricted),
    ("K-44", "read-only root", read_only_root),
    ("K-45", "an account for each role, without token", accounts),
    ("K-48", "no secret in the environment", secrets),
    ("K-51", "teachers read models, and cannot write them", models_read_only),
    ("K-56", "monitoring: the PodMonitor takes every role", pod_monitor),
    ("K-57", "monitoring: alerts, and boards for Grafana's sidecar", rules_and_boards),
    ("K-59", "metrics are not on the data port", ops_port_alone),
]

# Rows that apply and do not hold, and what they wait for; printed, so that nobody takes them for held.
OPEN = [
    ("K-18", "a student told to stop leaves without a checkpoint of its own: steps since the last committed one are trained again"),
    ("K-31", "suspend and resume were not tried on a cluster"),
    ("K-34", "runs need a volume that all nodes mount (ReadWriteMany); one node does with ReadWriteOnce"),
    ("K-40", "the ops port and pod addresses are IPv4 only"),
    ("K-46", "no TLS, hence --allow-plaintext and the network policies"),
    ("K-60", "logs are lines of text, not JSON"),
]
