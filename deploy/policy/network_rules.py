"""Rules of names, Services and who may reach whom."""

from deploy.policy.network import EDGES, egress_edges, ingress_edges
from deploy.policy.rendering import OPS_ROLES, selects


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
