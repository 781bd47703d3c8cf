"""Text files as constants of a program."""

def embedded_text(name, files, visibility = None):
    """A cc_library with the header <package>/<name>.h.

    It has, in namespace distill, for each of `files`, {constant: path}, the file's content
    as a std::string_view."""
    parts = ["echo '#pragma once'", "echo '#include <string_view>'", "echo 'namespace distill {'"]
    for constant, path in files.items():
        parts += [
            "echo 'inline constexpr std::string_view %s = R\"embedded('" % constant,
            "cat $(location %s)" % path,
            "echo ')embedded\";'",
        ]
    parts.append("echo '}  // namespace distill'")
    native.genrule(
        name = name + "_gen",
        srcs = files.values(),
        outs = [name + ".h"],
        cmd = "(" + " && ".join(parts) + ") > $@",
    )
    native.cc_library(
        name = name,
        hdrs = [name + ".h"],
        visibility = visibility,
    )
