"""Rules of the objects: how many, their names, labels, versions, and what selects what."""

import re

from deploy.policy.rendering import HASHED, boards, quantity, selects, title

COUNTS = {"Namespace": 1, "ServiceAccount": 4, "ConfigMap": 2, "Service": 2, "PersistentVolumeClaim": 1,
          "Deployment": 1, "StatefulSet": 1, "Job": 2, "PodDisruptionBudget": 2, "NetworkPolicy": 6}
MORE = {"prod": {"PriorityClass": 3}, "monitoring": {"PodMonitor": 1, "NetworkPolicy": 1, "PrometheusRule": 1, "ConfigMap": 1}}
# Served by the three newest minors, and longer.
API_VERSIONS = {"v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1", "scheduling.k8s.io/v1"}
LABELS = ["app.kubernetes.io/" + each for each in ("name", "instance", "version", "component", "part-of", "managed-by")]


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
