"""deploy/check: renders, validates, and says for each row whether it holds. See --help."""

import argparse
import copy
import os
import re
import subprocess
import sys
import tempfile

from deploy.policy import crds, flags, rules, snippets
from deploy.policy.rendering import Rendering, digest, title

# The three newest, and the oldest that has everything which the manifests use.
MINORS = ["1.34", "1.35", "1.36", "1.37"]
OVERLAYS = ["dev-cpu", "prod", "monitoring"]
FIXTURE = "policy/testdata/base.yaml"
# Of what was checked last, so that a test can tell whether that is what lies here.
CHECKED = "policy/testdata/kustomize.sha256"
# What kubectl delete calls a kind, where that is not its name.
_DELETED_AS = {"ConfigMap": "cm", "ServiceAccount": "sa", "PodDisruptionBudget": "pdb", "NetworkPolicy": "netpol",
               "PersistentVolumeClaim": "pvc", "PriorityClass": "priorityclasses",
               **{kind: "all" for kind in ("Deployment", "StatefulSet", "Job", "Service")}}


class Report:
    def __init__(self):
        self.failed = 0
        self.held = 0

    def say(self, row, what, problems):
        if problems:
            self.failed += 1
            print("%s FAIL %s" % (row, what))
            for each in sorted(set(problems)):
                print("    " + each)
        else:
            self.held += 1
            print("%s ok %s" % (row, what))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def build(kustomize, folder):
    """YAML. Nothing is fetched: no proxy that answers is left in Kustomize's environment."""
    offline = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, env=offline, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError("kustomize build %s: %s" % (folder, done.stderr.strip()))
    return done.stdout


def on_top(kustomize, deploy, name, below, text):
    """An overlay of `text` on folder `below` of kustomize/."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/kustomization.yaml", "w", encoding="utf-8") as out:
            out.write("resources: [%s]\n%s" % (os.path.relpath(deploy + "/kustomize/" + below, os.path.realpath(folder)), text))
        return Rendering(name, build(kustomize, folder))


def renamed(kustomize, deploy):
    """The base under a prefix, in another namespace."""
    return on_top(kustomize, deploy, "renamed", "base",
                  "namePrefix: x-\nnamespace: other\nconfigMapGenerator:\n- name: settings\n  behavior: merge\n"
                  "  literals: [DISTILL_COORDINATOR=x-coordinator:7000]\n")


def validate(renderings):
    """Strictly: unknown fields are refused. Of each object and minor."""
    import kubernetes_validate  # from deploy/setup's prefix
    found = []
    for r in renderings:
        for thing in r.objects:
            if thing["kind"] in crds.FIELDS:
                found += ["%s: %s: %s" % (r.name, title(thing), each) for each in crds.problems(thing)]
                continue
            for minor in MINORS:
                try:
                    used = kubernetes_validate.validate(thing, minor, strict=True)
                    # It would take an older minor's schema without a word.
                    why = "" if str(used) == minor else "there are only schemas of " + str(used)
                except kubernetes_validate.ValidationError as error:
                    why = "%s: %s" % (".".join(map(str, error.absolute_path)), error.message)
                except kubernetes_validate.SchemaNotFoundError:
                    why = "knows no %s of %s" % (thing["kind"], thing["apiVersion"])
                if why:
                    found.append("%s: %s: Kubernetes %s: %s" % (r.name, title(thing), minor, why[:300]))
    return found


def strictness(r):
    """Each minor's validation refuses an unknown field and a wrong type."""
    found = []
    for what, plant in (("an unknown field", {"imagePulPolicy": "Always"}), ("a wrong type", {"args": "run"})):
        planted = copy.deepcopy(r)
        planted.objects = [planted.workload("teacher").thing]
        planted.workload("teacher").container.update(plant)
        said = " ".join(validate([planted]))
        found += ["Kubernetes %s takes %s" % (minor, what) for minor in MINORS
                  if "Kubernetes %s: spec.template.spec.containers.0" % minor not in said]
    return found


def readme(text, renderings):
    """Every setting and flag has its row, and how to upgrade and uninstall is said."""
    found = []
    for r in renderings:
        for thing in r.of("ConfigMap"):
            if thing["metadata"]["name"].startswith("settings-"):
                found += ["no row of %s" % key for key in thing["data"] if "`%s`" % key not in text]
        for each in r.workloads():
            found += ["%s is not mentioned" % flag for flag in each.flags() if "`%s" % flag not in text]
    found += ["no section %s" % name for name in ("Upgrade", "Uninstall") if not re.search("^#+ %s" % name, text, re.M)]
    kinds = {thing["kind"] for r in renderings for thing in r.objects}
    gone = set(re.split(r"[^a-z]+", text.partition("### Uninstall\n")[2].partition("\n#")[0].lower()))
    return found + ["Uninstall leaves every %s" % kind for kind in sorted(kinds) if _DELETED_AS.get(kind, kind.lower()) not in gone]


def additions(text, kustomize, deploy, programs):
    """What README says to put into an overlay is valid, and does what it is for."""
    found = []
    for heading, holds in snippets.HOLDS.items():
        block = snippets.snippet(text, heading)
        if block is None:
            found.append("there is nothing below '%s'" % heading)
            continue
        for below in snippets.BELOW[heading]:
            try:
                r = on_top(kustomize, deploy, "%s on %s" % (heading, below), below, block)
                found += ["%s: %s" % (r.name, each) for each in holds(r) + rules.program_flags(r, programs)] + validate([r])
            except RuntimeError as error:
                found.append("'%s': %s" % (heading, error))
    return found


def main():
    parser = argparse.ArgumentParser(prog="deploy/check", description=__doc__)
    parser.add_argument("--bin", required=True, help="where Bazel put the programs, e.g. out/bin")
    parser.add_argument("--kustomize", required=True)
    parser.add_argument("--update", action="store_true", help="write what the tests keep in policy/testdata anew")
    arguments = parser.parse_args()
    deploy = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    report = Report()

    texts, problems = {}, []
    for name in ["base"] + OVERLAYS:
        try:
            texts[name] = build(arguments.kustomize, "%s/kustomize/%s" % (deploy, "base" if name == "base" else "overlays/" + name))
        except RuntimeError as error:
            problems.append(str(error))
    report.say("K-01", "the base and %d overlays render offline" % len(OVERLAYS), problems)
    if problems:
        return 1
    renderings = [Rendering(name, text) for name, text in texts.items()]
    renderings.append(renamed(arguments.kustomize, deploy))

    kept = {FIXTURE: texts["base"], CHECKED: digest(deploy + "/kustomize") + "\n"}
    if arguments.update:
        for path, text in kept.items():
            with open(os.path.join(deploy, path), "w", encoding="utf-8") as out:
                out.write(text)
    report.say("fixture", "what the tests keep of the manifests is of these",
               ["deploy/%s is old: deploy/check --update" % path for path, text in kept.items()
                if read(os.path.join(deploy, path)) != text])
    report.say("K-62", "%d objects are valid, strictly, for Kubernetes %s"
               % (sum(len(r.objects) for r in renderings), ", ".join(MINORS)), validate(renderings))
    report.say("strict", "an unknown field and a wrong type would be refused", strictness(renderings[0]))
    for row, what, rule in rules.RULES:
        report.say(row, what, ["%s: %s" % (r.name, each) for r in renderings for each in rule(r)])
    programs = flags.ask(arguments.bin)
    report.say("flags", "every argument is one that the program takes",
               ["%s: %s" % (r.name, each) for r in renderings for each in rules.program_flags(r, programs)])
    text = read(deploy + "/README.md")
    report.say("K-10", "README has every knob, upgrade and uninstall", readme(text, renderings))
    report.say("additions", "README's additions to an overlay do what they are for", additions(text, arguments.kustomize, deploy, programs))
    for row, what, path in rules.ELSEWHERE:
        there = os.path.exists(os.path.join(os.path.dirname(deploy), path))
        report.say(row, "%s: see %s" % (what, path), [] if there else ["there is no %s" % path])
    for row, why in rules.OPEN:
        print("%s open %s" % (row, why))
    for row, what in rules.ABSENT:
        print("%s absent %s" % (row, what))
    print("deploy/check: %d rows hold, %d fail, %d are open, %d are of what there is not yet"
          % (report.held, report.failed, len(rules.OPEN), len(rules.ABSENT)))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
