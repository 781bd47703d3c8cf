#include "distillation/models/package_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"
#include "distillation/models/model.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As main does, before there is another thread.
const bool checked = [] {
  CheckPackageInputs();
  return true;
}();

std::string PackageBytes() {
  PosixFileSystem files;
  const auto bytes = files.Read("distillation/models/hand_made.pt2", size_t{64} << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return *bytes;
}

absl::StatusOr<std::unique_ptr<Model>> Load(
    const std::string& bytes, const std::vector<std::string>& outputs = {"scores", "doubled"},
    std::vector<int64_t> example_dims = {3}, int64_t classes = 2) {
  v1::ModelConfig config;
  config.mutable_aot_inductor()->set_file("made.pt2");
  config.mutable_aot_inductor()->mutable_outputs()->Assign(outputs.begin(), outputs.end());
  return LoadPackageModel(config, example_dims, classes, {bytes, "digest"});
}

std::vector<float> Values(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), tensor.const_data_ptr<float>() + tensor.numel()};
}

TEST(PackageModel, GivesItsOutputsByNameForAnyNumberOfExamples) {
  const auto model = Load(PackageBytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->config().aot_inductor().sha256(), "digest");
  EXPECT_TRUE((*model)->Parameters().empty());
  EXPECT_TRUE((*model)->Tensors()->empty());
  const at::Tensor examples = at::tensor({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}).reshape({2, 3});
  const auto outputs = (*model)->Outputs(examples, {"doubled", "scores"});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(Values((*outputs)[0]), ElementsAre(642, 1284, 1308, 2616));
  EXPECT_THAT(Values((*outputs)[1]), ElementsAre(321, 642, 654, 1308));
  EXPECT_THAT(Values(*(*model)->Forward(examples.slice(0, 0, 1))), ElementsAre(321, 642));
}

TEST(PackageModel, TwoOfThemMayBeLoadedAtOnce) {
  const std::string bytes = PackageBytes();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto model = Load(bytes);
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_TRUE((*model)->Forward(at::tensor({1.f, 2.f, 3.f}).reshape({1, 3})).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PackageModel, WhatItDeclaresIsHeldAgainstWhatItDoesBeforeItIsUsed) {
  const auto error = [](const auto& model) {
    EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(model.status().message());
  };
  EXPECT_THAT(error(Load(PackageBytes(), {"logits"})), HasSubstr("gives 2 outputs, but 1 are"));
  EXPECT_THAT(error(Load(PackageBytes(), {"a", "b"}, {3}, 5)), HasSubstr("must be Float [3,5]"));
  // Its own check of shapes is on.
  EXPECT_THAT(error(Load(PackageBytes(), {"a", "b"}, {2})), HasSubstr("float32 [3,2]"));
}

TEST(PackageModel, WhatIsNoPackageIsRefused) {
  std::string cut = PackageBytes();
  cut.resize(cut.size() / 2);
  for (const std::string& bytes : {std::string("not a zip"), cut}) {
    const auto model = Load(bytes);
    EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(model.status().message()), HasSubstr("model file made.pt2"));
    EXPECT_THAT(std::string(model.status().message()), HasSubstr("aoti_compile_and_package"));
  }
}

TEST(PackageModel, NoTemporaryFileIsLeft) {
  const std::string folder = JoinPath(::testing::TempDir(), "packages");
  PosixFileSystem files;
  ASSERT_TRUE(files.MakeDirectories(folder).ok());
  ASSERT_EQ(setenv("TMPDIR", folder.c_str(), 1), 0);
  ASSERT_TRUE(Load(PackageBytes()).ok());
  EXPECT_TRUE(files.List(folder)->empty());
}

// It is loaded on a thread where nobody catches what std::filesystem throws.
TEST(PackageModel, ATemporaryFolderThatIsNoneIsNamed) {
  const std::string folder = JoinPath(::testing::TempDir(), "no_folder");
  PosixFileSystem files;
  ASSERT_TRUE(files.RemoveTree(folder).ok());
  ASSERT_EQ(setenv("TMPDIR", folder.c_str(), 1), 0);
  const auto refused = [&] {
    const auto model = Load(PackageBytes());
    EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(model.status().message()),
                AllOf(HasSubstr("model file made.pt2"), HasSubstr("TMPDIR is '" + folder + "'")));
  };
  refused();
  ASSERT_TRUE(files.Write(folder, "a file").ok());
  refused();
  ASSERT_EQ(setenv("TMPDIR", ::testing::TempDir().c_str(), 1), 0);
}

TEST(PackageModel, OneThatWouldNotCheckItsInputsIsNotLoaded) {
  ASSERT_EQ(unsetenv("AOTI_RUNTIME_CHECK_INPUTS"), 0);
  const auto model = Load(PackageBytes());
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("CheckPackageInputs"));
  CheckPackageInputs();
  EXPECT_TRUE(Load(PackageBytes()).ok());
}

}  // namespace
}  // namespace distill
