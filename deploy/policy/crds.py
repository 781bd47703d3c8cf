"""Fields of the custom resources that components use, since the schemas of Kubernetes lack them."""

_SELECTOR = {"matchLabels": None, "matchExpressions": None}
_ENDPOINT = {"port": str, "path": str, "interval": str, "scrapeTimeout": str, "scheme": str,
             "relabelings": None, "metricRelabelings": None}
# None: anything. A list: of such.
FIELDS = {
    "PodMonitor": {"apiVersion": str, "kind": str, "metadata": None,
                   "spec": {"selector": _SELECTOR, "namespaceSelector": None, "podMetricsEndpoints": [_ENDPOINT],
                            "jobLabel": str, "podTargetLabels": None, "sampleLimit": int}},
    "PrometheusRule": {"apiVersion": str, "kind": str, "metadata": None,
                       "spec": {"groups": [{"name": str, "interval": str, "rules": [
                           {"record": str, "alert": str, "expr": None, "for": str, "labels": None, "annotations": None}]}]}},
}


def problems(thing, fields=None, path=""):
    """Unknown fields and wrong types."""
    fields = FIELDS[thing["kind"]] if fields is None else fields
    found = []
    for key, value in thing.items():
        here = "%s.%s" % (path, key) if path else key
        if key not in fields:
            found.append("%s: unknown field" % here)
            continue
        wanted = fields[key]
        if wanted is None:
            continue
        kind = list if isinstance(wanted, list) else dict if isinstance(wanted, dict) else wanted
        if not isinstance(value, kind):
            found.append("%s: is no %s" % (here, kind.__name__))
        elif kind is list:
            for number, each in enumerate(value):
                found += problems(each, wanted[0], "%s[%d]" % (here, number))
        elif kind is dict:
            found += problems(value, wanted, here)
    return found
