"""What deploy/ promises: a table of rows, each with a function from a rendering to what is wrong.

K-01 to K-65 are the project's own checklist of what a platform engineer asks of manifests: the texts
of the tables below are the list, and each number is in one of them."""

from deploy.policy import (flags, lifecycle_rules, monitoring_rules, network_rules, object_rules, resource_rules,
                           security_rules)


def program_flags(r, programs):
    """`programs`: command to the flags it takes, see flags.py."""
    found = []
    for each in r.workloads():
        if each.command() not in programs:
            found.append("%s runs %s, which is none of our programs" % (each, each.command()))
            continue
        found += flags.problems(each.command(), each.container.get("args", []), programs[each.command()])
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
    ("K-55", "a cluster autoscaler may move students and teachers", resource_rules.evictable),
    ("K-56", "monitoring: the PodMonitor takes every role", monitoring_rules.pod_monitor),
    ("K-57", "monitoring: alerts, and boards for Grafana's sidecar", monitoring_rules.rules_and_boards),
    ("K-59", "metrics are not on the data port", monitoring_rules.ops_port_alone),
]

# Rows of check.py itself.
OF_CHECK = ["K-01", "K-10", "K-62"]

# Rows that something else holds, and where that is.
ELSEWHERE = [
    ("K-08", "custom resources are in components; K-06 refuses them in the base", "deploy/kustomize/components"),
    ("K-14", "grpc.health.v1 on the data port, for each service", "common/rpc/server_test.cc"),
    ("K-17", "what SIGTERM ends, and what a second one does", "tests/integration/local_run_test.py"),
    ("K-21", "nothing shares memory: one wire, also on one host", "docs/decisions/0011-one-wire-also-on-one-host.md"),
    ("K-49", "reflection, channelz and profiling are not built in", "common/rpc/BUILD"),
    ("K-63", "these rules, each with planted violations", "deploy/policy/rules_test.py"),
    ("K-64", "the programs as the manifests start them, without a cluster", "deploy/try"),
]

# Rows that apply and do not hold, and what they wait for; printed, so that nobody takes them for held.
OPEN = [
    ("K-18", "a student told to stop leaves without a checkpoint of its own: steps since the last committed one are trained again"),
    ("K-31", "suspend and resume were not tried on a cluster"),
    ("K-32", "a world takes no step before all its ranks are there, and no gang scheduler is set up for it"),
    ("K-34", "runs need a volume that all nodes mount (ReadWriteMany); one node does with ReadWriteOnce"),
    ("K-38", "teacher servers are found through the coordinator alone; there is no second way by DNS"),
    ("K-40", "the ops port and pod addresses are IPv4 only"),
    ("K-46", "no TLS, hence --allow-plaintext and the network policies"),
    ("K-47", "whoever reaches the coordinator's port may stop a plan: without TLS there are no names to tell roles by"),
    ("K-50", "the image, which has neither shell nor compiler, is not signed and comes without a list of its parts"),
    ("K-60", "logs are lines of text, not JSON"),
    ("K-61", "no trace context is passed on"),
    ("K-65", "there is one version, so none was tried with another"),
]

# Rows of what the product does not have yet.
ABSENT = [
    ("K-02", "a Helm chart"),
    ("K-20", "GPUs"),
    ("K-35", "progress for Kubeflow"),
    ("K-41", "a trial with a proxy that drops idle connections"),
    ("K-42", "Ingress, GRPCRoute and meshes"),
    ("K-52", "autoscaling of teachers"),
    ("K-53", "a number of teachers that the coordinator wishes for"),
    ("K-54", "hints for a vertical autoscaler"),
    ("K-58", "scrape annotations, for clusters without the operator"),
]
