"""protoc and the gRPC plugin of Debian, called by a genrule."""

def distill_proto_library(name, srcs, deps = [], visibility = None):
    """The messages of .proto files of this package as one cc_library.

    Import paths are from the workspace root ("proto/types.proto"). `deps` are
    other distill_proto_library targets."""
    outs = []
    for s in srcs:
        stem = s[:-len(".proto")]
        outs += [stem + ".pb.h", stem + ".pb.cc"]
    native.filegroup(name = name + "_srcs", srcs = srcs + [d + "_srcs" for d in deps], visibility = visibility)
    native.genrule(
        name = name + "_gen",
        srcs = srcs + [d + "_srcs" for d in deps],
        outs = outs,
        cmd = "/usr/bin/protoc -I. --cpp_out=$(GENDIR) " + " ".join(["$(location %s)" % s for s in srcs]),
    )
    native.cc_library(
        name = name,
        srcs = [o for o in outs if o.endswith(".cc")],
        hdrs = [o for o in outs if o.endswith(".h")],
        copts = ["-w"],
        features = ["-parse_headers", "-layering_check"],
        deps = deps + ["//third_party/system:protobuf"],
        visibility = visibility,
    )

def distill_grpc_library(name, src, proto, visibility):
    """The generated service of one .proto file: stubs and service bases.

    `proto` is the distill_proto_library that holds its messages; `visibility`
    lists the users one by one, so that gRPC stays in its rooms."""
    stem = src[:-len(".proto")]
    native.genrule(
        name = name + "_gen",
        srcs = [src, proto + "_srcs"],
        outs = [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"],
        cmd = "/usr/bin/protoc -I. --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin --grpc_out=$(GENDIR) $(location %s)" % src,
    )
    native.cc_library(
        name = name,
        srcs = [stem + ".grpc.pb.cc"],
        hdrs = [stem + ".grpc.pb.h"],
        copts = ["-w"],
        features = ["-parse_headers", "-layering_check"],
        deps = [proto, "//third_party/system:grpc"],
        visibility = visibility,
    )
