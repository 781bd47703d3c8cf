"""What README offers to put into an overlay: found there, and held to what it is for."""

import re
import textwrap

from deploy.policy import resource_rules

# By heading: what it is put on.
BELOW = {"Alerts that lead somewhere": ["overlays/monitoring"], "Models from files": ["base", "overlays/prod"],
         "A plan that was stopped, or has failed": ["base", "overlays/prod"]}


def snippet(text, heading):
    """The first indented block below the heading; None where there is none."""
    match = re.search(r"^#+ %s\n(.*?)(?=^#|\Z)" % re.escape(heading), text, re.M | re.S)
    block = re.search(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", match[1], re.M) if match else None
    return textwrap.dedent(block[0]).lstrip("\n") if block else None


def lead_somewhere(r):
    """Links of alerts are URLs, and there are some."""
    urls = [(rule["alert"], key, rule.get("annotations", {}).get(key, "")) for thing in r.of("PrometheusRule")
            for group in thing["spec"]["groups"] for rule in group["rules"] if "alert" in rule
            for key in ("runbook_url", "dashboard_url")]
    found = ["%s: %s is '%s'" % each for each in urls
             if not re.fullmatch(r"https://[a-z.]+/(d/.*|.*docs/runbooks\.md#.*)", each[2])]
    found += [] if urls else ["there are no alerts"]
    return found + ["%s would be applied" % thing["metadata"]["name"] for thing in r.of("ConfigMap")
                    if thing["metadata"]["name"].startswith("links")]


def have_models(r):
    """Those that load models find them where they cannot write, and a package can be unpacked."""
    found = resource_rules.ephemeral(r)
    for component in ("teacher", "student", "plan"):
        each = r.workload(component)
        folder = each.flags().get("--model-dir")
        if folder not in [path for path, read_only, _ in each.mounts() if read_only]:
            found.append("%s: --model-dir=%s is no read-only mount" % (each, folder))
        if "--allow-executable-models" not in each.flags():
            found.append("%s: lacks --allow-executable-models" % each)
        if "/tmp" not in [path for path, read_only, volume in each.mounts() if not read_only and "emptyDir" in (volume or {})]:
            found.append("%s: cannot write to /tmp" % each)
    return found


def goes_on(r):
    """The plan is resumed in its folder at its coordinator, and not again where it was stopped."""
    plan = r.workload("plan")
    known = plan.environment()
    goes_on = ["resume", known.get("DISTILL_RUN_DIR"), "--coordinator=%s" % known.get("DISTILL_COORDINATOR")]
    found = [] if plan.arguments() == goes_on else ["%s: %s, not %s" % (plan, plan.arguments(), goes_on)]
    final = [code for rule in plan.thing["spec"].get("podFailurePolicy", {}).get("rules", [])
             if rule["action"] == "FailJob" for code in rule["onExitCodes"]["values"]]
    return found + ([] if 6 in final else ["%s: a stopped plan would be resumed again" % plan])


HOLDS = {"Alerts that lead somewhere": lead_somewhere, "Models from files": have_models,
         "A plan that was stopped, or has failed": goes_on}
