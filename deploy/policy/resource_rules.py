"""Rules of what pods ask of nodes and volumes."""

from deploy.policy.rendering import OPS_ROLES, quantity


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


def evictable(r):
    """A cluster autoscaler drains no node with a pod that has an emptyDir, unless that says so."""
    key = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    return ["%s does not say %s" % (each, key) for each in r.workloads() if each.component in ("teacher", "student")
            and each.template["metadata"].get("annotations", {}).get(key) != "true"]


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
