"""What deploy/ promises: a table of rows, each with a function from a rendering to what is wrong.

The rows' numbers are those of the platform checklist that the project holds itself to."""

from deploy.policy import (flags, lifecycle_rules, monitoring_rules, network_rules, object_rules, resource_rules,
                           security_rules)


def program_flags(r, programs):
    """`programs`: name to the flags it takes, see flags.py."""
    found = []
    for each in r.workloads():
        if each.program() not in programs:
            found.append("%s runs %s, which is none of our programs" % (each, each.program()))
            continue
        found += flags.problems(each.program(), each.container.get("args", []), programs[each.program()])
    return found


RULES = [
    ("counts", "as many objects of each kind as there should be", object_rules.counts),
    ("selectors", "select what they should, and only that", object_rules.selectors),
    ("K-03", "one image, with a tag; in prod a digest", object_rules.images),
    ("K-04", "recommended labels; selectors without version", object_rules.labels),
    ("K-05", "one namespace; every name referred to is there", object_rules.namespaces_and_names),
    ("K-06", "API versions that the newest minors serve", object_rules.api_versions),
    ("K-07", "ConfigMaps with a hash in the name", object_rules.config_maps),
    ("K-09", "dev-cpu: 1 coordinator, 1 teacher, 2 students, 2 GiB", object_rules.small_enough),
    ("K-11", "three probes on the ops port, which they reach", lifecycle_rules.probes),
    ("K-12", "liveness asks /healthz, which knows no peers", lifecycle_rules.asks("livenessProbe", "/healthz")),
    ("K-13", "readiness asks /readyz", lifecycle_rules.asks("readinessProbe", "/readyz")),
    ("K-15", "preStop is the native sleep", lifecycle_rules.pre_stop),
    ("K-16", "grace exceeds preStop, drain and a margin", lifecycle_rules.grace),
    ("K-19", "requests and limits; threads within the CPU limit", resource_rules.resources),
    ("K-22", "teachers are spread by zone and host", resource_rules.spread),
    ("K-23", "prod: priority coordinator > teacher > student", resource_rules.priorities),
    ("K-24", "disruption budgets of coordinator and teachers", lifecycle_rules.disruption),
    ("K-25", "a rolling update of teachers", lifecycle_rules.rolling_update),
    ("K-26", "times of a roll fit the training of a model", lifecycle_rules.roll_times),
    ("K-27", "names and addresses come from the pod", network_rules.identities),
    ("K-28", "ephemeral storage is bounded", resource_rules.ephemeral),
    ("K-29", "students: Indexed Job, failures told apart", lifecycle_rules.indexed_job),
    ("K-30", "no two pods of one index", lifecycle_rules.replacement),
    ("K-33", "finished Jobs go", lifecycle_rules.ttl),
    ("storage", "journal on its own volume, runs on the shared one", resource_rules.storage),
    ("K-36", "students leave a dead node soon", lifecycle_rules.eviction),
    ("K-37", "headless Services, ports that are served", network_rules.services),
    ("K-39", "default deny, and exactly the needed edges", network_rules.network),
    ("K-43", "Pod Security restricted", security_rules.restricted),
    ("K-44", "read-only root", security_rules.read_only_root),
    ("K-45", "an account for each role, without token", security_rules.accounts),
    ("K-48", "no secret in the environment", security_rules.secrets),
    ("K-51", "teachers read models, and cannot write them", security_rules.models_read_only),
    ("K-56", "monitoring: the PodMonitor takes every role", monitoring_rules.pod_monitor),
    ("K-57", "monitoring: alerts, and boards for Grafana's sidecar", monitoring_rules.rules_and_boards),
    ("K-59", "metrics are not on the data port", monitoring_rules.ops_port_alone),
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
