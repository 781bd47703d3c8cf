"""Runs what an overlay renders, without a cluster: its containers' commands, each as its own user in
a chroot of the image's files, on addresses of the loopback. See deploy/try --help."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from deploy.policy.rendering import Rendering


class Pod:
    """One replica: what of the kubelet's work it needs, done here."""

    def __init__(self, workload, index, address, root, logs):
        self.workload = workload
        self.name = "%s-%d" % (workload.name, index)
        self.address = address
        fields = {"metadata.name": self.name, "status.podIP": address,
                  "metadata.annotations['batch.kubernetes.io/job-completion-index']": str(index)}
        words = workload.arguments()
        for field, value in fields.items():
            words = [word.replace("{%s}" % field, value) for word in words]
        # Pods share one network here: an address for each, in place of the wildcard and of names.
        words = [word.replace("0.0.0.0:", address + ":").replace("[::]:", "127.0.1.1:")
                 .replace("coordinator:7000", "127.0.1.1:7000") for word in words]
        # In a mount namespace of its own, which ends with it: what every container runtime gives, and
        # what is mounted read-only is so.
        read_only = [path for path, only, _ in workload.mounts() if only]
        binds = "".join("mount --bind /{0} {1}/{0} && ".format(path, root) for path in ("proc", "dev"))
        binds += "".join("mount --bind {0} {0} && mount -o remount,bind,ro {0} && ".format(root + path) for path in read_only)
        security = workload.pod["securityContext"]
        user = "--userspec=%d:%d" % (security["runAsUser"], security["runAsGroup"])
        self.log = "%s/%s.log" % (logs, self.name)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", binds + 'exec "$@"', "sh", "chroot", "--groups=", user, root,
                 *workload.container["command"], *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={}, start_new_session=True)

    def probe(self, name):
        """Whether a probe of the container holds now."""
        http = self.workload.container[name]["httpGet"]
        url = "http://%s:%d%s" % (self.address, self.workload.port(http["port"]), http["path"])
        try:
            with urllib.request.urlopen(url, timeout=self.workload.container[name]["timeoutSeconds"]) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def highest_memory(pods, peaks, over):
    """Until it is over: the most that each held, from the kernel's own high-water mark."""
    while not over.wait(0.5):
        for pod in pods:
            try:
                with open("/proc/%d/status" % pod.process.pid, encoding="ascii") as status:
                    mark = next((line for line in status if line.startswith("VmHWM")), "VmHWM: 0 kB")
                    peaks[pod.name] = max(peaks.get(pod.name, 0), int(mark.split()[1]) // 1024)
            except OSError:
                pass


def wait_for(what, condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    print("FAIL " + what)
    return False


def prepare(r, root):
    """What volumes bring: folders that the pods' user may write, the plan."""
    for path in ("proc", "dev"):
        os.makedirs("%s/%s" % (root, path), exist_ok=True)
    for workload in r.workloads():
        user = workload.pod["securityContext"]
        for path, _, volume in workload.mounts():
            folder = root + path
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, user["runAsUser"], user["runAsGroup"])
            if "configMap" in volume:
                for name, text in r.named("ConfigMap", volume["configMap"]["name"])["data"].items():
                    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                        out.write(text)


def run(r, root, logs, seconds):
    prepare(r, root)
    pods, peaks, over = [], {}, threading.Event()
    addresses = iter(range(1, 250))

    def start(component):
        workload = r.workload(component)
        pods.extend([Pod(workload, index, "127.0.1.%d" % next(addresses), root, logs) for index in range(workload.replicas)])

    for component in ("coordinator", "teacher", "student"):
        start(component)
    watch = threading.Thread(target=highest_memory, args=(pods, peaks, over))
    watch.start()
    held = True
    try:
        probed = [pod for pod in pods if "startupProbe" in pod.workload.container]
        held &= wait_for("startup probes hold", lambda: all(pod.probe("startupProbe") for pod in probed), 30)
        # Too early, it ends with 4, and its Job tries again.
        start("plan")
        plan = pods[-1]
        teachers = [pod for pod in pods if pod.workload.component == "teacher"]
        held &= wait_for("a teacher is ready once its model is trained",
                         lambda: any(pod.probe("readinessProbe") for pod in teachers) or plan.process.poll() is not None, seconds)
        held &= wait_for("the plan ends", lambda: plan.process.poll() is not None, seconds)
        held &= plan.process.poll() == 0
        students = [pod for pod in pods if pod.workload.component == "student"]
        held &= wait_for("the students' Job completes", lambda: all(pod.process.poll() == 0 for pod in students), 30)
        held &= wait_for("teachers leave with the plan", lambda: all(pod.process.poll() == 0 for pod in teachers), 60)
        coordinator = pods[0]
        held &= coordinator.probe("livenessProbe") and coordinator.probe("readinessProbe")
        os.kill(coordinator.process.pid, signal.SIGTERM)
        grace = coordinator.workload.pod["terminationGracePeriodSeconds"]
        held &= wait_for("the coordinator stops within its grace", lambda: coordinator.process.poll() == 0, grace)
    finally:
        over.set()
        watch.join()
        for pod in pods:
            pod.kill()
    for pod in pods:
        allowed = int(pod.workload.container["resources"]["limits"]["memory"].replace("Gi", "000").replace("Mi", ""))
        print("%-14s exit %s, at most %4d MiB of %d" % (pod.name, pod.process.returncode, peaks.get(pod.name, 0), allowed))
        held &= peaks.get(pod.name, 0) <= allowed
    with open(pods[-1].log, encoding="utf-8") as log:
        print(log.read()[-1500:])
    if not held:
        for pod in pods[:-1]:
            with open(pod.log, encoding="utf-8") as log:
                print("---- %s\n%s" % (pod.name, log.read()[-1500:]))
    return held


def main():
    parser = argparse.ArgumentParser(prog="deploy/try", description=__doc__)
    parser.add_argument("--rendered", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--logs", required=True)
    parser.add_argument("--seconds", type=int, default=300)
    arguments = parser.parse_args()
    if shutil.which("unshare") is None or os.geteuid() != 0:
        print("try: needs root and unshare")
        return 1
    with open(arguments.rendered, encoding="utf-8") as text:
        held = run(Rendering("dev-cpu", text.read()), arguments.root, arguments.logs, arguments.seconds)
    print("try: " + ("the plan ran as it is deployed" if held else "FAILS"))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
