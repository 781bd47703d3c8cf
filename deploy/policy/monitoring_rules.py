"""Rules of what Prometheus and Grafana read."""

import json

from deploy.policy.rendering import HASHED, OPS_ROLES, boards, selects, title


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
