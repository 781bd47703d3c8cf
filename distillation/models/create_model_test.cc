#include "distillation/models/create_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "distillation/models/package_model.h"
#include "distillation/models/script_modules.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class CreateModelTest : public ::testing::Test {
 protected:
  CreateModelTest() {
    const std::string program = ScriptOf("return torch.flatten(x, 1)[:, :2].contiguous()");
    EXPECT_TRUE(WriteModelDirectory(files_, "/models", {{"a.pt", program}}).ok());
  }

  absl::StatusOr<std::unique_ptr<Model>> Create(const v1::ModelConfig& config) {
    return CreateModel(config, std::vector<int64_t>{3}, /*classes=*/2, /*seed=*/1,
                       ModelDirectory(&files_, {.path = "/models", .allow_executable = true}));
  }

  FakeFileSystem files_;
};

v1::ModelFile File(const std::string& path) {
  v1::ModelFile file;
  file.set_file(path);
  file.add_outputs("logits");
  return file;
}

TEST_F(CreateModelTest, AnArchitectureIsBuiltAndNeedsNoDirectory) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  const auto model = CreateModel(config, std::vector<int64_t>{3}, 2, /*seed=*/1, {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->plan().parameters, 3 * 2 + 2);
}

TEST_F(CreateModelTest, AScriptedModuleComesFromItsFile) {
  v1::ModelConfig config;
  *config.mutable_torch_script() = File("a.pt");
  const auto model = Create(config);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->config().torch_script().sha256().size(), 64u);
}

TEST_F(CreateModelTest, APackageIsNotReadAsAModule) {
  CheckPackageInputs();
  v1::ModelConfig config;
  *config.mutable_aot_inductor() = File("a.pt");
  EXPECT_THAT(std::string(Create(config).status().message()),
              HasSubstr("aot_inductor takes what torch._inductor.aoti_compile_and_package wrote"));
}

TEST_F(CreateModelTest, WhatIsNoPlanForAProgramIsRefusedBeforeAFileIsRead) {
  v1::ModelConfig config;
  *config.mutable_torch_script() = File("../a.pt");
  const int64_t operations = files_.operations();
  EXPECT_EQ(Create(config).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(files_.operations(), operations);
}

TEST_F(CreateModelTest, AProgramWithoutADirectoryIsRefused) {
  v1::ModelConfig config;
  *config.mutable_torch_script() = File("a.pt");
  const auto model = CreateModel(config, std::vector<int64_t>{3}, 2, /*seed=*/1, {});
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("--model-dir"));
}

}  // namespace
}  // namespace distill
