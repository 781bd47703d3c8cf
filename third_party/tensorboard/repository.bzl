"""TensorBoard from PyPI as the external repository @tensorboard, for the test that reads our
event files with it.

Of the packages that it names only those are there which reading takes (23 MB): no server, no
plugins. They are unpacked once per machine (~/.cache/distill).

Set TENSORBOARD_SITE_PACKAGES to the site-packages directory of an installed TensorBoard to use
that one instead of downloading (environment variable or --repo_env)."""

# Checked by pip itself (--require-hashes).
_WHEELS = [
    "tensorboard==2.19.0 --hash=sha256:5e71b98663a641a7ce8a6e70b0be8e1a4c0c45d48760b076383ac4755c35b9a0",
    "protobuf==5.29.5 --hash=sha256:63848923da3325e1bf7e9003d680ce6e14b07e55d0473253a690c3a8b8fd6e61",
    "numpy==2.2.6 --hash=sha256:ba10f8411898fc418a521833e014a77d3ca01c15b0c6cdcce6a0d2897e6dbbdf",
    "absl-py==2.1.0 --hash=sha256:526a04eadab8b4ee719ce68f204172ead1027549089702d99b9059f129ff1308",
]

_FETCH = """
import os, subprocess, sys, tempfile
dest, requirements = sys.argv[1], sys.argv[2]
if os.path.isdir(dest):
    sys.exit(0)
os.makedirs(os.path.dirname(dest), exist_ok=True)
with tempfile.TemporaryDirectory(dir=os.path.dirname(dest)) as tmp:
    subprocess.run([
        sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps", "--require-hashes",
        "--no-compile", "--disable-pip-version-check", "--only-binary=:all:", "--python-version=311",
        "--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none", "--platform=manylinux_2_17_x86_64",
        "--platform=manylinux2014_x86_64", "--platform=any", "--target", tmp + "/site", "-r", requirements],
        check=True)
    try:
        os.rename(tmp + "/site", dest)
    except OSError:  # another fetch was faster
        assert os.path.isdir(dest)
"""

_BUILD = """
# In one piece: a folder has two thousand files, none of which changes.
filegroup(
    name = "tensorboard",
    srcs = ["site"],
    visibility = ["//visibility:public"],
)
"""

def _tensorboard_packages_impl(ctx):
    site = ctx.os.environ.get("TENSORBOARD_SITE_PACKAGES", "")
    if not site:
        cache = ctx.os.environ.get("DISTILL_CACHE", "") or ctx.os.environ.get("HOME", "/tmp") + "/.cache/distill"
        site = "%s/tensorboard-2.19.0-%d" % (cache, hash(_FETCH + str(_WHEELS)))
        ctx.file("requirements.txt", "\n".join(_WHEELS) + "\n", executable = False)
        ctx.file("fetch.py", _FETCH, executable = False)
        r = ctx.execute(["python3", "fetch.py", site, "requirements.txt"], timeout = 600)
        if r.return_code:
            fail("cannot fetch TensorBoard, which one test needs: " + r.stdout + r.stderr)
    ctx.symlink(site, "site")
    ctx.file("BUILD", _BUILD, executable = False)

tensorboard_packages = repository_rule(
    implementation = _tensorboard_packages_impl,
    environ = ["TENSORBOARD_SITE_PACKAGES", "DISTILL_CACHE"],
)
