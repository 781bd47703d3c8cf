#include "benchmarks/codec/logits_source.h"

#include <string>
#include <vector>

#include "common/files/fake_file_system.h"
#include "distillation/labels/synthetic_logits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

// A file of version 1.0 with three rows of two elements of four bytes.
std::string Npy(const std::string& type) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (3, 2), }";
  header.resize(117, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  const float values[] = {1, 2, 3, 4, 5, 6};
  return file + header + std::string(reinterpret_cast<const char*>(values), sizeof(values));
}

TEST(LogitsSource, TheFirstRowsOfAFileAreRead) {
  FakeFileSystem files;
  ASSERT_TRUE(files.Write("logits.npy", Npy("<f4")).ok());
  LogitsSource source;
  source.npy_path = "logits.npy";
  source.rows = 2;
  const auto logits = ReadLogits(files, source);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_THAT(logits->dims, ElementsAre(2, 2));
  EXPECT_THAT(logits->as<float>(), ElementsAre(1, 2, 3, 4));
  source.rows = 20;
  EXPECT_THAT(ReadLogits(files, source)->dims, ElementsAre(3, 2));
}

TEST(LogitsSource, AFileOfSomethingElseIsRefused) {
  FakeFileSystem files;
  ASSERT_TRUE(files.Write("ids.npy", Npy("<i4")).ok());
  LogitsSource source;
  source.npy_path = "ids.npy";
  EXPECT_EQ(ReadLogits(files, source).status().code(), absl::StatusCode::kInvalidArgument);
  source.npy_path = "none.npy";
  EXPECT_EQ(ReadLogits(files, source).status().code(), absl::StatusCode::kNotFound);
}

TEST(LogitsSource, GeneratedRowsAreThoseOfTheGenerator) {
  FakeFileSystem files;
  LogitsSource source;
  source.classes = 7;
  source.rows = 2;
  source.seed = 5;
  const auto logits = ReadLogits(files, source);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_THAT(logits->as<float>().subspan(7),
              ::testing::ElementsAreArray(LanguageModelLogits(5, 1, 7)));
  source.generator = "normal";
  EXPECT_THAT(ReadLogits(files, source)->as<float>().first(7),
              ::testing::ElementsAreArray(NormalLogits(5, 0, 7, 0, 4)));
  source.generator = "uniform";
  EXPECT_EQ(ReadLogits(files, source).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
