#include "distillation/models/export/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"
#include "distillation/models/export/manifest.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::ExportManifest Manifest() {
  v1::ExportManifest manifest;
  manifest.mutable_model()->set_architecture("mlp");
  manifest.add_example_dims(2);
  manifest.set_classes(2);
  manifest.set_scale(1);
  manifest.set_deviation(1);
  manifest.set_run_id("teacher");
  return manifest;
}

std::map<std::string, TensorView> Tensors() {
  return {{"linear.weight",
           MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 4})},
          {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}};
}

ExportCheck Check() {
  return {MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{7}),
          MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{0.5, 1.5})};
}

TEST(ExportTest, WhatWasWrittenIsRead) {
  FakeFileSystem files;
  auto manifest = WriteExport(files, "/run/export", Manifest(), Tensors(), Check());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->parameters(), 6u);
  auto read = ReadExport(files, "/run/export");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->manifest.fingerprint(), manifest->fingerprint());
  EXPECT_EQ(ModelDigest(read->tensors), ModelDigest(Tensors()));
  EXPECT_EQ(read->check.logits.as<float>()[1], 1.5f);
  EXPECT_EQ(read->check.ids.as<int64_t>()[0], 7);
}

TEST(ExportTest, TheExamplesOfTheCheckAreKeptWhereThereAreAny) {
  FakeFileSystem files;
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), Check()).ok());
  EXPECT_TRUE(ReadExport(files, "/e")->check.examples.dims.empty());
  ExportCheck check = Check();
  check.examples = MakeTensorView(ElementType::kFloat32, {1, 1, 2}, std::vector<float>{3, 4});
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), check).ok());
  const auto read = ReadExport(files, "/e");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->check.examples.dims, (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(read->check.examples.as<float>()[1], 4);
}

TEST(ExportTest, AModelWithoutTensorsIsRead) {
  FakeFileSystem files;
  v1::ExportManifest manifest = Manifest();
  manifest.mutable_model()->clear_architecture();
  v1::ModelFile& file = *manifest.mutable_model()->mutable_aot_inductor();
  file.set_file("a.pt2");
  file.set_sha256(std::string(64, '5'));
  file.add_outputs("logits");
  ASSERT_TRUE(WriteExport(files, "/e", manifest, {}, Check()).ok());
  const auto read = ReadExport(files, "/e");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->tensors.empty());
  EXPECT_EQ(read->manifest.model().aot_inductor().file(), "a.pt2");
}

TEST(ExportTest, TheProgramLiesBesideTheWeightsWhereThereIsOne) {
  FakeFileSystem files;
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), Check(), "module").ok());
  EXPECT_EQ(*files.Read("/e/model.pt", 100), "module");
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), Check()).ok());
  EXPECT_FALSE(*files.Exists("/e/model.pt"));
}

TEST(ExportTest, AnAlteredWeightIsDataLoss) {
  FakeFileSystem files;
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), Check()).ok());
  const std::string path = "/e/weights.safetensors";
  std::string bytes = *files.Read(path, 1 << 20);
  bytes.back() ^= 1;
  ASSERT_TRUE(files.Write(path, bytes).ok());
  const absl::Status status = ReadExport(files, "/e").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/e"));
}

TEST(ExportTest, WithoutItsManifestThereIsNoExport) {
  FakeFileSystem files;
  ASSERT_TRUE(WriteExport(files, "/e", Manifest(), Tensors(), Check()).ok());
  ASSERT_TRUE(files.RemoveTree("/e/manifest.json").ok());
  EXPECT_EQ(ReadExport(files, "/e").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadExportManifest(files, "/e").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace distill
