"""Rules of what pods may do."""

from deploy.policy.rendering import title


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
