#include "student_worker/training/verify_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/files/fake_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/script_modules.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TensorView Ids(std::vector<int64_t> ids) {
  const auto count = static_cast<int64_t>(ids.size());
  return MakeTensorView(ElementType::kInt64, {count}, std::move(ids));
}

TensorView Rows(int64_t columns, std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size()) / columns;
  return MakeTensorView(ElementType::kFloat32, {count, columns}, std::move(values));
}

// Of y = (1 3; 2 4) x + (5, 6): three logits recorded, and the examples of the first two.
Export Linear() {
  Export exported;
  exported.manifest.mutable_model()->set_architecture("mlp");
  exported.manifest.add_example_dims(2);
  exported.manifest.set_classes(2);
  exported.tensors = {
      {"linear.weight", Rows(2, {1, 3, 2, 4})},
      {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}};
  exported.check = {Ids({7, 8, 9}), Rows(2, {6, 8, 8, 10, 9, 12}), Rows(2, {1, 0, 0, 1})};
  return exported;
}

void ExpectDataLoss(const Export& exported, const std::string& why) {
  const absl::Status status = VerifyExport(exported, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(why));
}

TEST(VerifyExport, AnExportThatComputesWhatWasRecordedIsTaken) {
  const absl::Status status = VerifyExport(Linear(), {});
  EXPECT_TRUE(status.ok()) << status;
}

TEST(VerifyExport, AnExportThatComputesSomethingElseIsRefusedWithTheExample) {
  Export exported = Linear();
  exported.check.logits = Rows(2, {6, 8, 8, 11, 9, 12});
  ExpectDataLoss(exported, "example 8, class 1: logit 10, but the exporting process computed 11");
}

TEST(VerifyExport, ACheckThatDoesNotFitItsExamplesIsRefused) {
  constexpr char kWhy[] = "the check of the export does not fit it; export the model again";
  Export exported = Linear();
  exported.check.ids = Ids({7});
  ExpectDataLoss(exported, kWhy);

  exported = Linear();
  exported.check.ids = MakeTensorView(ElementType::kInt32, {2}, std::vector<int32_t>{7, 8});
  ExpectDataLoss(exported, kWhy);

  exported = Linear();
  exported.check.logits = Rows(2, {6, 8});
  ExpectDataLoss(exported, kWhy);

  exported = Linear();
  exported.check.logits = MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{6, 8});
  ExpectDataLoss(exported, kWhy);
}

TEST(VerifyExport, WithoutExamplesItIsEnoughThatTheModelIsRead) {
  Export exported = Linear();
  exported.check.examples = {};
  exported.check.logits = Rows(2, {0, 0, 0, 0, 0, 0});
  EXPECT_TRUE(VerifyExport(exported, {}).ok());
  exported.tensors.erase("linear.bias");
  EXPECT_EQ(VerifyExport(exported, {}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(VerifyExport, AProgramIsLoadedFromItsDirectory) {
  FakeFileSystem files;
  Export exported = Linear();
  ASSERT_TRUE(WriteModelDirectory(files, "/models", {{"a.pt", MlpScript(exported.tensors)}}).ok());
  v1::ModelFile& file = *exported.manifest.mutable_model()->mutable_torch_script();
  exported.manifest.mutable_model()->clear_architecture();
  file.set_file("a.pt");
  file.add_outputs("logits");
  const ModelDirectory programs(&files, {.path = "/models", .allow_executable = true});
  const absl::Status status = VerifyExport(exported, programs);
  EXPECT_TRUE(status.ok()) << status;

  exported.check.logits = Rows(2, {6, 8, 8, 11, 9, 12});
  EXPECT_EQ(VerifyExport(exported, programs).code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(VerifyExport(exported, {}).message()), HasSubstr("--model-dir"));
}

}  // namespace
}  // namespace distill
