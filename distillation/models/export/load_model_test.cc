#include "distillation/models/export/load_model.h"

#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

TEST(LoadModelTest, AnExportedModelComesBackBitForBit) {
  v1::ExportManifest manifest;
  manifest.mutable_model()->set_architecture("conv_net");
  manifest.mutable_model()->add_widths(3);
  manifest.mutable_model()->add_strides(2);
  manifest.mutable_model()->set_batch_norm(true);
  manifest.add_example_dims(6);
  manifest.add_example_dims(6);
  manifest.set_classes(4);
  manifest.set_scale(255);
  manifest.set_deviation(1);
  const std::vector<int64_t> dims = {6, 6};
  auto model = Model::Create(manifest.model(), dims, 4, /*seed=*/5);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto tensors = *(*model)->Tensors();
  FakeFileSystem files;
  const ExportCheck check = {
      MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{0}),
      MakeTensorView(ElementType::kFloat32, {1, 4}, std::vector<float>{0, 0, 0, 0})};
  ASSERT_TRUE(WriteExport(files, "/e", manifest, tensors, check).ok());
  auto exported = ReadExport(files, "/e");
  ASSERT_TRUE(exported.ok()) << exported.status();
  auto loaded = LoadModel(*exported);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto again = *(*loaded)->Tensors();
  ASSERT_EQ(again.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    ASSERT_EQ(again.count(name), 1u) << name;
    EXPECT_TRUE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), again.at(name).bytes.begin()))
        << name;
  }
}

}  // namespace
}  // namespace distill
