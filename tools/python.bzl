"""Tests in Python 3.

py_test of Bazel 4 starts `python`, a name that Debian 12 does not have."""

def python_test(name, src, size, deps = [], data = [], tags = []):
    """Runs `src` as a module, with imports from the workspace root.

    `deps` are filegroups or py_library targets of the modules it imports."""
    module = native.package_name().replace("/", ".") + "." + src[:-len(".py")]
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//tools:run_python.sh"],
        args = [module],
        data = [src] + deps + data,
        tags = tags,
    )
