"""clang-tidy over the sources of C++ rules, one cached action a source.

    bazel build --config=clang --config=tidy -- //common/status:all

The result is a stamp, so a source is looked at again only when it, a header of what
it depends on, .clang-tidy, or the compiler's flags changed."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _flags(ctx, context):
    """The flags that the source is compiled with."""
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features + ["layering_check", "module_maps"],
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.rule.attr.copts,
        include_directories = context.includes,
        quote_include_directories = context.quote_includes,
        system_include_directories = context.system_includes,
        preprocessor_defines = context.defines,
    )
    return cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = CPP_COMPILE_ACTION_NAME,
        variables = variables,
    )

def _tidy_impl(target, ctx):
    if CcInfo not in target or target.label.workspace_name or not hasattr(ctx.rule.attr, "srcs"):
        return [OutputGroupInfo(tidy = depset())]
    context = target[CcInfo].compilation_context
    stamps = []
    for source in [f for attr in ctx.rule.attr.srcs for f in attr.files.to_list()]:
        if source.extension != "cc" or not source.is_source:
            continue
        stamp = ctx.actions.declare_file("%s.%s.tidy" % (ctx.rule.attr.name, source.basename))
        ctx.actions.run(
            executable = ctx.executable._run_tidy,
            arguments = [stamp.path, ctx.file._config.path, source.path] + _flags(ctx, context),
            inputs = depset([source, ctx.file._config], transitive = [context.headers]),
            outputs = [stamp],
            mnemonic = "ClangTidy",
            progress_message = "clang-tidy " + source.short_path,
        )
        stamps.append(stamp)
    return [OutputGroupInfo(tidy = depset(stamps))]

tidy = aspect(
    implementation = _tidy_impl,
    attrs = {
        "_config": attr.label(default = "//:.clang-tidy", allow_single_file = True),
        "_run_tidy": attr.label(default = "//tools:run_tidy", executable = True, cfg = "host"),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
