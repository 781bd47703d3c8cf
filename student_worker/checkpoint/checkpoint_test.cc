#include "student_worker/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr char kRunDir[] = "/runs/first";

Safetensors Tensors(float value) {
  Safetensors contents;
  contents.tensors["w"] = MakeTensorView<float>(ElementType::kFloat32, {2}, {value, value + 1});
  return contents;
}

v1::CheckpointManifest Manifest(int64_t step) {
  v1::CheckpointManifest manifest;
  manifest.set_run_id("distilled");
  manifest.set_step(step);
  manifest.set_generation(3);
  manifest.set_world_size(2);
  manifest.set_config_digest("c");
  manifest.set_data_set_digest("d");
  manifest.set_view_spec_digest("v");
  auto* teacher = manifest.add_teachers();
  teacher->set_role("teacher");
  teacher->set_fingerprint("f");
  return manifest;
}

CheckpointExpectation Expected() { return {"c", "d", "v", 2, {{"teacher", "f"}}}; }

// All three parts and the manifest, as the ranks of a world write them.
absl::StatusOr<v1::CheckpointRef> WriteAll(FileSystem& files, int64_t step) {
  v1::CheckpointManifest manifest = Manifest(step);
  const std::string folder = CheckpointFolder("distilled", step, 3);
  for (const int32_t rank : {0, 1, kSharedPart}) {
    auto part = WriteCheckpointPart(files, kRunDir, folder, rank, Tensors(10.0f * rank + step));
    if (!part.ok()) return part.status();
    *manifest.add_files() = *part;
  }
  return WriteCheckpointManifest(files, kRunDir, manifest);
}

std::string PathOf(const v1::CheckpointRef& ref, const std::string& file) {
  return JoinPath(JoinPath(kRunDir, ref.path()), file);
}

TEST(Checkpoint, ComesBackPerRank) {
  FakeFileSystem files;
  const auto ref = WriteAll(files, 400);
  ASSERT_TRUE(ref.ok()) << ref.status();
  EXPECT_EQ(ref->path(), "distilled/checkpoints/step-000400-g3");
  const auto read = ReadCheckpoint(files, kRunDir, *ref, Expected(), 1);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->rank.tensors.at("w").as<float>()[0], 410.0f);
  EXPECT_EQ(read->shared.tensors.at("w").as<float>()[0], 390.0f);
  EXPECT_EQ(read->manifest.step(), 400);
}

TEST(Checkpoint, SurvivesAPowerLossOnceItsManifestIsWritten) {
  FakeFileSystem files;
  const auto ref = WriteAll(files, 400);
  ASSERT_TRUE(ref.ok()) << ref.status();
  files.Crash();
  EXPECT_TRUE(ReadCheckpoint(files, kRunDir, *ref, Expected(), 0).ok());
}

TEST(Checkpoint, AFailureAtAnyOperationLeavesTheFormerOneWhole) {
  FakeFileSystem probe;
  ASSERT_TRUE(WriteAll(probe, 1).ok());
  const int64_t operations = probe.operations();
  for (int64_t n = 1; n <= operations; ++n) {
    FakeFileSystem files;
    const auto former = WriteAll(files, 400);
    ASSERT_TRUE(former.ok());
    files.FailOperation(n, absl::ResourceExhaustedError("disk full"), /*and_all_later=*/true);
    EXPECT_FALSE(WriteAll(files, 800).ok()) << "operation " << n;
    files.Crash(7);
    EXPECT_TRUE(ReadCheckpoint(files, kRunDir, *former, Expected(), 0).ok()) << "operation " << n;
  }
}

TEST(Checkpoint, AFlippedBitIsFoundInEveryFile) {
  for (const std::string file : {"manifest.json", "shared.safetensors", "rank-0.safetensors"}) {
    FakeFileSystem files;
    const auto ref = WriteAll(files, 400);
    ASSERT_TRUE(ref.ok());
    std::string bytes = *files.Read(PathOf(*ref, file), 1 << 20);
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(files.Write(PathOf(*ref, file), bytes).ok());
    const auto read = ReadCheckpoint(files, kRunDir, *ref, Expected(), 0);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << file;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(file));
  }
}

TEST(Checkpoint, ATornPartIsFound) {
  FakeFileSystem files;
  const auto ref = WriteAll(files, 400);
  ASSERT_TRUE(ref.ok());
  ASSERT_TRUE(files.Truncate(PathOf(*ref, "rank-1.safetensors"), 10).ok());
  EXPECT_EQ(ReadCheckpoint(files, kRunDir, *ref, Expected(), 1).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(ReadCheckpoint(files, kRunDir, *ref, Expected(), 0).ok());
}

TEST(Checkpoint, AMissingFolderIsNotFound) {
  FakeFileSystem files;
  const auto ref = WriteAll(files, 400);
  ASSERT_TRUE(ref.ok());
  ASSERT_TRUE(files.RemoveTree(JoinPath(kRunDir, ref->path())).ok());
  EXPECT_EQ(ReadCheckpoint(files, kRunDir, *ref, Expected(), 0).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(Checkpoint, OneOfAnotherConfigurationDataSetWorldOrTeacherIsRefusedByName) {
  FakeFileSystem files;
  const auto ref = WriteAll(files, 400);
  ASSERT_TRUE(ref.ok());
  const auto refused = [&](const CheckpointExpectation& expected, const std::string& what) {
    const auto read = ReadCheckpoint(files, kRunDir, *ref, expected, 0);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("another " + what));
  };
  CheckpointExpectation expected = Expected();
  expected.config_digest = "x";
  refused(expected, "configuration");
  expected = Expected();
  expected.data_set_digest = "x";
  refused(expected, "data set");
  expected = Expected();
  expected.view_spec_digest = "x";
  refused(expected, "view");
  expected = Expected();
  expected.world_size = 4;
  refused(expected, "world size");
  expected = Expected();
  expected.teachers["teacher"] = "x";
  refused(expected, "teacher in the role teacher");
}

TEST(Checkpoint, AManifestWithoutAllPartsIsRefused) {
  FakeFileSystem files;
  v1::CheckpointManifest manifest = Manifest(400);
  EXPECT_EQ(WriteCheckpointManifest(files, kRunDir, manifest).status().code(),
            absl::StatusCode::kInvalidArgument);
  manifest.add_files()->set_name("../elsewhere");
  EXPECT_EQ(WriteCheckpointManifest(files, kRunDir, manifest).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
