"""Rules of what Prometheus and Grafana read."""

import json

from deploy.monitoring.drift import SCRAPE
from deploy.policy.rendering import HASHED, OPS_ROLES, boards, selects, title


def ops_port_alone(r):
    return ["%s serves metrics where it serves data" % each for each in r.workloads()
            if each.port("ops") and each.port("ops") == each.port("grpc")]


_NAMESPACE = "__meta_kubernetes_namespace"
_INSTANCE = "__meta_kubernetes_pod_label_app_kubernetes_io_instance"
_POD = "__meta_kubernetes_pod_name"


def _relabelled(relabelings, target):
    """Labels that the relabelings give to a target. None of what is not a plain replace: it is not judged here."""
    made = {}
    for each in relabelings:
        if each.get("action", "replace") == "replace" and not {"regex", "replacement"} & set(each):
            made[each["targetLabel"]] = each.get("separator", ";").join(target.get(name, "") for name in each["sourceLabels"])
    return made


def _scrape_labels(relabelings):
    """What rules and boards tell plans and processes apart by."""
    pod = {_NAMESPACE: "n", _INSTANCE: "i", _POD: "p"}
    made = _relabelled(relabelings, pod)
    # The operator gives the other two.
    found = ["no relabeling makes label %s" % label for label in sorted(SCRAPE - {"job", "instance"}) if not made.get(label)]
    for name, label, what in ((_NAMESPACE, "plan", "two namespaces"), (_INSTANCE, "plan", "two instances in a namespace"),
                              (_POD, "process", "two pods")):
        if made.get(label) and made[label] == _relabelled(relabelings, {**pod, name: "other"})[label]:
            found.append("%s have one label %s" % (what, label))
    if made.get("plan") != _relabelled(relabelings, {**pod, _POD: "other"}).get("plan"):
        found.append("pods of one plan have several labels plan")
    return found


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
            found += _scrape_labels(endpoint.get("relabelings", []))
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
