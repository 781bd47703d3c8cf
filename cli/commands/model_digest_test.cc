#include "cli/commands/model_digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "common/safetensors/safetensors.h"
#include "distillation/models/export/export.h"
#include "distillation/models/export/manifest.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using Tensors = std::map<std::string, TensorView>;

Tensors Model(float first = 1) {
  return {{"linear.weight",
           MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{first, 2, 3, 4})},
          {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}};
}

class ModelDigestTest : public ::testing::Test {
 protected:
  void Export(const std::string& run, const Tensors& model) {
    v1::ExportManifest manifest;
    manifest.mutable_model()->set_architecture("mlp");
    manifest.add_example_dims(2);
    manifest.set_classes(2);
    manifest.set_scale(1);
    manifest.set_deviation(1);
    manifest.set_run_id(run);
    const ExportCheck check = {
        MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{7}),
        MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{0.5, 1.5})};
    const auto written = WriteExport(files_, "/runs/" + run + "/export", manifest, model, check);
    ASSERT_TRUE(written.ok()) << written.status();
  }
  // Beside the model a checkpoint holds what training needs, e.g. the optimizer's state.
  void Checkpoint(const std::string& run, const std::string& step, const Tensors& model, bool whole,
                  float momentum = 0) {
    const std::string folder = "/runs/" + run + "/checkpoints/" + step;
    ASSERT_TRUE(files_.MakeDirectories(folder).ok());
    Safetensors shared;
    for (const auto& [name, tensor] : model) shared.tensors["model/" + name] = tensor;
    shared.tensors["optimizer/momentum"] =
        MakeTensorView(ElementType::kFloat32, {1}, std::vector<float>{momentum});
    ASSERT_TRUE(WriteSafetensors(files_, folder + "/shared.safetensors", shared).ok());
    if (whole) {
      ASSERT_TRUE(files_.Write(folder + "/manifest.json", "{}").ok());
    }
  }
  std::string Digest(const std::string& run) {
    const auto digest = LatestModelDigest(files_, "/runs", run);
    EXPECT_TRUE(digest.ok()) << digest.status();
    return digest.value_or("");
  }

  FakeFileSystem files_;
};

TEST_F(ModelDigestTest, AnExportIsDigestedBeforeAnyCheckpoint) {
  Checkpoint("teacher", "0000000200", Model(9), /*whole=*/true);
  Export("teacher", Model());
  EXPECT_EQ(Digest("teacher"), ModelDigest(Model()));
}

TEST_F(ModelDigestTest, WithoutAnExportTheNewestWholeCheckpointIsDigested) {
  Checkpoint("student", "0000000090", Model(1), /*whole=*/true);
  Checkpoint("student", "0000000100", Model(2), /*whole=*/true);
  Checkpoint("student", "0000000110", Model(3), /*whole=*/false);
  EXPECT_EQ(Digest("student"), ModelDigest(Model(2)));
}

TEST_F(ModelDigestTest, EqualWeightsGiveEqualDigestsWhereverTheyLie) {
  Export("a", Model());
  Checkpoint("b", "0000000100", Model(), /*whole=*/true, /*momentum=*/0.5f);
  EXPECT_EQ(Digest("a"), Digest("b"));
}

TEST_F(ModelDigestTest, OneChangedBitGivesAnotherDigest) {
  Export("a", Model(1));
  Export("b", Model(std::nextafter(1.0f, 2.0f)));
  Checkpoint("c", "0000000100", Model(std::nextafter(1.0f, 2.0f)), /*whole=*/true);
  EXPECT_NE(Digest("a"), Digest("b"));
  EXPECT_EQ(Digest("b"), Digest("c"));
}

TEST_F(ModelDigestTest, ARunWithNeitherIsNotFoundByName) {
  absl::Status status = LatestModelDigest(files_, "/runs", "student").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("student"));
  Checkpoint("student", "0000000100", Model(), /*whole=*/false);
  status = LatestModelDigest(files_, "/runs", "student").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelDigestTest, ADamagedExportIsDataLossEvenWhereACheckpointIsWhole) {
  Checkpoint("teacher", "0000000200", Model(), /*whole=*/true);
  Export("teacher", Model());
  const std::string path = "/runs/teacher/export/weights.safetensors";
  std::string bytes = *files_.Read(path, 1 << 20);
  bytes.back() ^= 1;
  ASSERT_TRUE(files_.Write(path, bytes).ok());
  EXPECT_EQ(LatestModelDigest(files_, "/runs", "teacher").status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(ModelDigestTest, ADamagedCheckpointIsDataLoss) {
  Checkpoint("student", "0000000100", Model(), /*whole=*/true);
  const std::string path = "/runs/student/checkpoints/0000000100/shared.safetensors";
  const std::string bytes = *files_.Read(path, 1 << 20);
  ASSERT_TRUE(files_.Write(path, bytes.substr(0, bytes.size() / 2)).ok());
  const absl::Status status = LatestModelDigest(files_, "/runs", "student").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST_F(ModelDigestTest, ADiskThatCannotBeReadIsNoMissingCheckpoint) {
  Checkpoint("student", "0000000100", Model(), /*whole=*/true);
  const int64_t before = files_.operations();
  Digest("student");
  const int64_t operations = files_.operations() - before;
  for (int64_t n = 1; n <= operations; ++n) {
    files_.FailOperation(n, absl::InternalError("the disk is broken"));
    EXPECT_EQ(LatestModelDigest(files_, "/runs", "student").status().code(),
              absl::StatusCode::kInternal)
        << "operation " << n;
  }
}

}  // namespace
}  // namespace distill
