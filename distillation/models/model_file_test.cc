#include "distillation/models/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::ModelConfig Config() {
  v1::ModelConfig config;
  config.mutable_torch_script()->set_file("teachers/a.pt");
  config.mutable_torch_script()->add_outputs("logits");
  return config;
}

TEST(ModelFile, AProgramIsWhatHasAFile) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  EXPECT_FALSE(IsProgram(config));
  EXPECT_TRUE(IsProgram(Config()));
  EXPECT_EQ(ProgramFile(Config()).file(), "teachers/a.pt");
  config.mutable_aot_inductor()->set_file("b.pt2");
  EXPECT_EQ(ProgramFile(config).file(), "b.pt2");
}

TEST(ModelFile, PathsThatLeaveTheDirectoryAreRefused) {
  EXPECT_TRUE(CheckPathBelow("a.pt").ok());
  EXPECT_TRUE(CheckPathBelow("a/..b/c.pt").ok());
  for (const char* path : {"", "/etc/a.pt", "..", "../a.pt", "a/../../b.pt", "./a.pt", "a//b.pt"}) {
    EXPECT_EQ(CheckPathBelow(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(ModelFile, WhatCannotBeIsNamed) {
  EXPECT_TRUE(CheckProgram(Config()).ok());
  const auto error = [](auto change) {
    v1::ModelConfig config = Config();
    change(config, *config.mutable_torch_script());
    return std::string(CheckProgram(config).message());
  };
  EXPECT_THAT(error([](auto& c, auto&) { c.set_architecture("mlp"); }),
              HasSubstr("do not go with a model from a file"));
  EXPECT_THAT(error([](auto& c, auto&) { c.add_widths(3); }), HasSubstr("do not go with"));
  EXPECT_THAT(error([](auto&, auto& f) { f.set_file("../a.pt"); }),
              HasSubstr("not a path below the model directory"));
  EXPECT_THAT(error([](auto&, auto& f) { f.set_sha256("ABC"); }), HasSubstr("64 digits"));
  EXPECT_THAT(error([](auto&, auto& f) { f.add_example_dims(0); }), HasSubstr("example_dims"));
  EXPECT_THAT(error([](auto&, auto& f) { f.clear_outputs(); }), HasSubstr("outputs: 1 to"));
  EXPECT_THAT(error([](auto&, auto& f) { f.add_outputs("logits"); }), HasSubstr("used twice"));
  // A student would wait for float32 [n, features] under that name.
  EXPECT_THAT(
      error([](auto&, auto& f) { f.add_outputs("hidden"); }),
      HasSubstr("'hidden' is what the hidden states of an architecture are called; rename"));
}

TEST(ModelFile, ExamplesThatNoMemoryHoldsAreRefusedBeforeTheirSizeOverflows) {
  v1::ModelConfig config = Config();
  v1::ModelFile& file = *config.mutable_torch_script();
  for (const uint32_t dim : {1u << 31, 1u << 29}) file.add_example_dims(dim);
  EXPECT_TRUE(CheckProgram(config).ok());
  file.add_example_dims(2);
  const absl::Status refused = CheckProgram(config);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("example_dims: shape [2147483648"));
  file.mutable_example_dims()->Clear();
  for (int i = 0; i < 3; ++i) file.add_example_dims(UINT32_MAX);
  EXPECT_EQ(CheckProgram(config).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
