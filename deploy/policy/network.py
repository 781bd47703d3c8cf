"""Who may reach whom by the NetworkPolicies of a rendering, as (from, to, port)."""

from deploy.policy.rendering import selects

ANY = "any port"
# Students reach one another on whatever ports c10d takes.
EDGES = {("teacher", "coordinator", 7000), ("student", "coordinator", 7000), ("plan", "coordinator", 7000),
         ("student", "teacher", 7100), ("student", "student", ANY)}


def _components(r, selector):
    return [each.component for each in r.workloads() if selects(selector, each.labels)]


def _peers(r, peers):
    """Names of peers; of others' pods: dns, prometheus; "anybody" where it is neither."""
    if not peers:
        return ["anybody"]
    found = []
    for peer in peers:
        if "namespaceSelector" not in peer and "ipBlock" not in peer:
            found += _components(r, peer["podSelector"])
            continue
        # Of other namespaces, where nobody has our labels.
        pods = peer.get("podSelector", {})
        wanted = pods.get("matchLabels", {})
        terms = {each["key"]: each["values"] for each in pods.get("matchExpressions", [])}
        names = {("k8s-app", "kube-dns"): "dns", ("app.kubernetes.io/name", "prometheus"): "prometheus"}
        known = [name for (key, value), name in names.items() if terms.get(key) == [value]]
        if known == ["prometheus"] and not peer["namespaceSelector"]:
            known = []
        found += known if known and not wanted else ["nobody" if wanted else "anybody"]
    return found


def _ports(rule):
    return [port["port"] for port in rule.get("ports", [])] or [ANY]


def _edges(r, direction, peers):
    found = set()
    for policy in r.of("NetworkPolicy"):
        for rule in policy["spec"].get(direction, []):
            for own in _components(r, policy["spec"]["podSelector"]):
                for other in _peers(r, rule.get(peers)):
                    for port in _ports(rule):
                        found.add((other, own, port) if direction == "ingress" else (own, other, port))
    return found


def ingress_edges(r):
    return _edges(r, "ingress", "from")


def egress_edges(r):
    return _edges(r, "egress", "to")
