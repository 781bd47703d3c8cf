#include "distillation/models/export/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "common/digest/sha256.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::ExportManifest Manifest() {
  v1::ExportManifest manifest;
  manifest.mutable_model()->set_architecture("mlp");
  manifest.mutable_model()->add_widths(2);
  manifest.add_example_dims(3);
  manifest.set_classes(2);
  manifest.set_scale(255);
  manifest.set_mean(0.1);
  manifest.set_deviation(0.3);
  manifest.set_run_id("student");
  manifest.set_steps(7);
  EXPECT_TRUE(CompleteManifest("weights", manifest).ok());
  return manifest;
}

TensorView Floats(std::vector<int64_t> dims, float value) {
  size_t elements = 1;
  for (int64_t dim : dims) elements *= static_cast<size_t>(dim);
  return MakeTensorView<float>(ElementType::kFloat32, std::move(dims),
                               std::vector<float>(elements, value));
}

std::map<std::string, TensorView> Tensors() {
  return {{"hidden1.weight", Floats({2, 3}, 1)},
          {"hidden1.bias", Floats({2}, 2)},
          {"linear.weight", Floats({2, 2}, 3)},
          {"linear.bias", Floats({2}, 4)}};
}

std::string Text(const v1::ExportManifest& manifest) {
  auto text = PrintManifest(manifest);
  EXPECT_TRUE(text.ok()) << text.status();
  return *text;
}

TEST(Manifest, ReadsBackWhatItPrints) {
  const v1::ExportManifest manifest = Manifest();
  const auto read = ParseManifest(Text(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), manifest.SerializeAsString());
  EXPECT_EQ(read->parameters(), 3u * 2 + 2 + 2 * 2 + 2);
  EXPECT_EQ(read->multiply_adds(), 10u);
  EXPECT_EQ(read->weights_sha256(), Sha256Hex("weights"));
}

TEST(Manifest, FingerprintChangesWithEverythingThatDecidesOutputs) {
  const std::string before = Manifest().fingerprint();
  const auto changed = [&](auto change) {
    v1::ExportManifest manifest = Manifest();
    change(manifest);
    return ExportFingerprint(manifest) != before;
  };
  EXPECT_TRUE(changed([](auto& m) { m.mutable_model()->set_architecture("conv_net"); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_model()->set_widths(0, 3); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_model()->add_strides(1); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_model()->set_batch_norm(true); }));
  EXPECT_TRUE(changed([](auto& m) { m.mutable_model()->set_global_average_pool(true); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_example_dims(0, 4); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_classes(3); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_scale(1); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_mean(0.2); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_deviation(0.2); }));
  EXPECT_TRUE(changed([](auto& m) { m.add_class_names("shoe"); }));
  EXPECT_TRUE(changed([](auto& m) { m.set_weights_sha256("0"); }));
  EXPECT_FALSE(changed([](auto& m) { m.set_run_id("other"); }));
  EXPECT_FALSE(changed([](auto& m) { m.set_steps(8); }));
}

TEST(Manifest, ChangedByHandItIsRefused) {
  v1::ExportManifest manifest = Manifest();
  manifest.set_mean(0.2);
  auto read = ParseManifest(Text(manifest));
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("fingerprint"));
  manifest = Manifest();
  manifest.set_parameters(1);
  read = ParseManifest(Text(manifest));
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("names 1 parameters"));
}

TEST(Manifest, OtherVersionsAndFilesOutsideTheFolderAreRefused) {
  v1::ExportManifest manifest = Manifest();
  manifest.set_format_version(2);
  EXPECT_EQ(ParseManifest(Text(manifest)).status().code(), absl::StatusCode::kFailedPrecondition);
  manifest = Manifest();
  manifest.set_weights_file("../other");
  EXPECT_THAT(std::string(ParseManifest(Text(manifest)).status().message()),
              HasSubstr("\"../other\""));
}

TEST(Manifest, TextThatIsNoManifestIsRefused) {
  EXPECT_EQ(ParseManifest("{").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseManifest("{\"new\": 1}").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ParseManifest(std::string(1 << 21, ' ')).status().message()),
              HasSubstr("at most"));
}

TEST(Manifest, ClassNamesMustBeAsManyAsClasses) {
  v1::ExportManifest manifest = Manifest();
  manifest.add_class_names("shoe");
  EXPECT_THAT(std::string(CompleteManifest("weights", manifest).message()),
              HasSubstr("1 class names for 2 classes"));
}

TEST(Manifest, DamagedWeightsAreRefused) {
  EXPECT_TRUE(CheckWeightsFile(Manifest(), "weights").ok());
  const absl::Status status = CheckWeightsFile(Manifest(), "weightz");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Sha256Hex("weightz")));
}

TEST(Manifest, TensorsOfAnotherModelAreRefusedByName) {
  EXPECT_TRUE(CheckTensors(Manifest(), Tensors()).ok());
  const auto error = [](const std::map<std::string, TensorView>& tensors) {
    return std::string(CheckTensors(Manifest(), tensors).message());
  };
  auto tensors = Tensors();
  tensors["linear.weight"] = Floats({4}, 0);
  EXPECT_THAT(error(tensors), HasSubstr("linear.weight is float32 [4], but the model needs"));
  tensors.erase("linear.weight");
  EXPECT_THAT(error(tensors), HasSubstr("linear.weight is missing"));
  tensors = Tensors();
  tensors["more"] = Floats({1}, 0);
  EXPECT_THAT(error(tensors), HasSubstr("5 tensors, but the model has 4"));
}

TEST(Manifest, ModelForOtherDataIsRefused) {
  const int64_t three[] = {3};
  const int64_t square[] = {3, 1};
  EXPECT_TRUE(CheckFits(Manifest(), 2, three).ok());
  EXPECT_THAT(std::string(CheckFits(Manifest(), 10, three).message()),
              HasSubstr("has 2 classes, but the data set 10"));
  EXPECT_THAT(std::string(CheckFits(Manifest(), 2, square).message()),
              HasSubstr("[3], but the data set has [3,1]"));
}

v1::ExportManifest ProgramManifest() {
  v1::ExportManifest manifest = Manifest();
  v1::ModelFile& file = *manifest.mutable_model()->mutable_torch_script();
  manifest.mutable_model()->clear_architecture();
  manifest.mutable_model()->clear_widths();
  file.set_file("a.pt");
  file.add_outputs("logits");
  file.set_sha256(std::string(64, '5'));
  manifest.set_parameters(17);
  manifest.set_multiply_adds(0);
  EXPECT_TRUE(CompleteManifest("weights", manifest).ok());
  return manifest;
}

TEST(Manifest, AProgramIsNamedByItsDigestAndNotByItsPlace) {
  const v1::ExportManifest manifest = ProgramManifest();
  const auto read = ParseManifest(Text(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), manifest.SerializeAsString());
  EXPECT_EQ(read->parameters(), 17u);
  EXPECT_TRUE(CheckTensors(*read, Tensors()).ok());
  const auto changed = [&](auto change) {
    v1::ExportManifest other = ProgramManifest();
    change(*other.mutable_model()->mutable_torch_script());
    return ExportFingerprint(other) != manifest.fingerprint();
  };
  EXPECT_TRUE(changed([](auto& file) { file.set_sha256(std::string(64, '6')); }));
  EXPECT_TRUE(changed([](auto& file) { file.add_example_dims(3); }));
  EXPECT_TRUE(changed([](auto& file) { file.add_outputs("more"); }));
  EXPECT_FALSE(changed([](auto& file) { file.set_file("elsewhere/b.pt"); }));
}

TEST(Manifest, AProgramWithoutItsDigestOrWithAPathThatLeavesTheDirectoryIsRefused) {
  v1::ExportManifest manifest = ProgramManifest();
  manifest.mutable_model()->mutable_torch_script()->clear_sha256();
  EXPECT_EQ(ParseManifest(Text(manifest)).status().code(), absl::StatusCode::kDataLoss);
  manifest = ProgramManifest();
  manifest.mutable_model()->mutable_torch_script()->set_file("../a.pt");
  EXPECT_EQ(ParseManifest(Text(manifest)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ModelDigest, ChangesWithNameTypeShapeAndBytes) {
  const std::string before = ModelDigest(Tensors());
  EXPECT_EQ(ModelDigest(Tensors()), before);
  auto tensors = Tensors();
  tensors["linear.bias"] = Floats({2}, 5);
  EXPECT_NE(ModelDigest(tensors), before);
  tensors["linear.bias"] = Floats({2, 1}, 4);
  EXPECT_NE(ModelDigest(tensors), before);
  tensors["linear.bias"] = Tensors()["linear.bias"];
  tensors["linear.bias"].type = ElementType::kInt32;
  EXPECT_NE(ModelDigest(tensors), before);
  tensors = Tensors();
  tensors["linear.bies"] = tensors["linear.bias"];
  tensors.erase("linear.bias");
  EXPECT_NE(ModelDigest(tensors), before);
}

TEST(CheckLogits, NamesTheWorstExampleBeyondTheTolerance) {
  const TensorView ids = MakeTensorView<int64_t>(ElementType::kInt64, {2}, {40, 41});
  const TensorView expected = MakeTensorView<float>(ElementType::kFloat32, {2, 2}, {1, 2, 3, 100});
  const auto check = [&](std::vector<float> values) {
    return CheckLogits(ids, expected,
                       MakeTensorView<float>(ElementType::kFloat32, {2, 2}, std::move(values)),
                       1e-3);
  };
  EXPECT_TRUE(check({1, 2, 3, 100.05f}).ok());
  EXPECT_THAT(std::string(check({1.01f, 2, 4, 100}).message()), HasSubstr("example 41, class 0"));
  EXPECT_THAT(std::string(check({1, std::numeric_limits<float>::quiet_NaN(), 4, 100}).message()),
              HasSubstr("example 40, class 1"));
  EXPECT_EQ(CheckLogits(ids, expected, Floats({2, 3}, 0), 1).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
