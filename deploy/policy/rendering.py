"""What Kustomize renders, as rules ask for it."""

import hashlib
import os
import re

import yaml

_VARIABLE = re.compile(r"\$\((\w+)\)")
_WORKLOADS = ("StatefulSet", "Deployment", "Job")
COMPONENT = "app.kubernetes.io/component"
# Those with an ops port.
OPS_ROLES = ("coordinator", "teacher", "student")
# What Kustomize appends to a name: ten digits of its own alphabet.
HASHED = re.compile(r"-[2456789bcdfghkmt]{10}$")


class Workload:
    """A Job, Deployment or StatefulSet, with what is needed of its pods. All have one container."""

    def __init__(self, rendering, thing):
        self._rendering = rendering
        self.thing = thing
        self.kind = thing["kind"]
        self.name = thing["metadata"]["name"]
        self.spec = thing["spec"]
        self.template = thing["spec"]["template"]
        self.pod = self.template["spec"]
        self.labels = self.template["metadata"].get("labels", {})
        self.component = self.labels.get(COMPONENT, "")
        self.container = self.pod["containers"][0]

    def __str__(self):
        return "%s/%s" % (self.kind, self.name)

    @property
    def replicas(self):
        return self.spec["parallelism"] if "parallelism" in self.spec else self.spec.get("replicas", 1)

    def environment(self):
        """Name to value; a field of the pod is its path in braces."""
        found = {}
        for source in self.container.get("envFrom", []):
            config = self._rendering.named("ConfigMap", source["configMapRef"]["name"])
            found.update(config["data"] if config else {})
        for variable in self.container.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            found[variable["name"]] = "{%s}" % field if field else variable.get("value", "")
        return found

    def arguments(self):
        """As the kubelet expands them; an unknown variable stays as it is written."""
        known = self.environment()
        return [_VARIABLE.sub(lambda match: known.get(match[1], match[0]), word) for word in self.container.get("args", [])]

    def flags(self):
        """--name=value as a dictionary; None for a flag without value."""
        words = [word for word in self.arguments() if word.startswith("--")]
        return {word.partition("=")[0]: word.partition("=")[2] if "=" in word else None for word in words}

    def program(self):
        return self.container.get("command", [""])[0].rpartition("/")[2]

    def command(self):
        """The program, and its subcommand where it has one."""
        first = self.container.get("args", ["-"])[0]
        return self.program() if first.startswith("-") else self.program() + " " + first

    def port(self, name):
        for port in self.container.get("ports", []):
            if port["name"] == name:
                return port["containerPort"]
        return None

    def mounts(self):
        """Of each mount: its path, whether it is read-only, the volume behind it."""
        volumes = {volume["name"]: volume for volume in self.pod.get("volumes", [])}
        for claim in self.spec.get("volumeClaimTemplates", []):
            volumes[claim["metadata"]["name"]] = claim
        for mount in self.container.get("volumeMounts", []):
            yield mount["mountPath"], mount.get("readOnly", False), volumes.get(mount["name"])


class Rendering:
    def __init__(self, name, text):
        self.name = name
        self.objects = [thing for thing in yaml.safe_load_all(text) if thing]

    def of(self, kind):
        return [thing for thing in self.objects if thing["kind"] == kind]

    def named(self, kind, name):
        return next((thing for thing in self.of(kind) if thing["metadata"]["name"] == name), None)

    def workloads(self):
        return [Workload(self, thing) for thing in self.objects if thing["kind"] in _WORKLOADS]

    def workload(self, component):
        return next(each for each in self.workloads() if each.component == component)

    def counts(self):
        found = {}
        for thing in self.objects:
            found[thing["kind"]] = found.get(thing["kind"], 0) + 1
        return found


def digest(folder):
    """SHA-256 of all files below a folder, their names included."""
    total = hashlib.sha256()
    paths = sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)
    for path in paths:
        with open(os.path.join(folder, path), "rb") as file:
            total.update(("%s %s\n" % (hashlib.sha256(file.read()).hexdigest(), path)).encode())
    return total.hexdigest()


def title(thing):
    return "%s/%s" % (thing["kind"], thing["metadata"]["name"])


def selects(selector, labels):
    """Whether a label selector (matchLabels and In) takes these labels; an empty one takes all."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))


_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text):
    """A Kubernetes quantity as a number: bytes, cores."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * _UNITS[unit]


def boards(r):
    """ConfigMaps that Grafana's sidecar reads."""
    return [thing for thing in r.of("ConfigMap") if "grafana_dashboard" in thing["metadata"].get("labels", {})]
