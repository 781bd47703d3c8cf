"""Stops a build at its start where a Debian package is missing, by name."""

def _system_packages_impl(ctx):
    missing = []
    for line in ctx.read(ctx.attr._table).split("\n"):
        words = [w for w in line.split(" ") if w]
        if not words or words[0].startswith("#"):
            continue
        if not ctx.path(words[1]).exists:
            missing.append(words[0])
    if missing:
        fail("missing Debian packages: %s\nInstall them with tools/setup, or: apt-get install %s\n" % (
            ", ".join(missing),
            " ".join(missing),
        ))
    ctx.file("BUILD", "")
    ctx.file("found.bzl", "FOUND = True\n")

system_packages = repository_rule(
    implementation = _system_packages_impl,
    attrs = {"_table": attr.label(default = "//tools:debian_packages.txt")},
    # Looked at again when a Bazel server starts.
    local = True,
)
