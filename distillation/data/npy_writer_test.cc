#include "distillation/data/npy_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "distillation/data/npy_reader.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(NpyWriter, WhatItWritesTheReaderReads) {
  FakeFileSystem files;
  const auto bytes =
      NpyBytes(MakeTensorView<float>(ElementType::kFloat32, {2, 3}, {1, 2, 3, 4, 5, 6.5f}));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  ASSERT_TRUE(files.Write("/a.npy", *bytes).ok());
  v1::ArrayFile file;
  file.set_path("/a.npy");
  const auto view = ReadNpy(files, file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->dims, ElementsAre(2, 3));
  EXPECT_THAT(view->as<float>(), ElementsAre(1, 2, 3, 4, 5, 6.5f));
}

TEST(NpyWriter, TheElementsBeginAtAMultipleOf64BytesForShapesOfAnyLength) {
  std::vector<int64_t> dims = {1};
  for (int i = 0; i < 40; ++i, dims.push_back(i % 2 == 0 ? 1 : 10000)) {
    TensorView view{ElementType::kUInt8, dims, {}, nullptr};
    const auto bytes = NpyBytes(view);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(bytes->size() % 64, 0u);
    EXPECT_EQ(bytes->back(), '\n');
  }
}

TEST(NpyWriter, WhatNumPyHasNoNameForIsRefused) {
  const auto bytes = NpyBytes(MakeTensorView<uint16_t>(ElementType::kBFloat16, {1}, {0}));
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("float32"));
}

}  // namespace
}  // namespace distill
