#include "distillation/label_sets/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "common/status/error_id.h"
#include "distillation/label_sets/label_set_for_test.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDir[] = "sets/a";

std::unique_ptr<LabelSetWriter> OpenOrDie(FileSystem& files,
                                          const LabelSetIdentity& identity = SmallIdentity(),
                                          const LabelSetWriterOptions& options = {}) {
  auto writer = LabelSetWriter::Open(&files, kDir, identity, options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return *std::move(writer);
}

// The files of a set that was filled in one go.
std::map<std::string, std::string> Undisturbed() {
  FakeFileSystem files;
  EXPECT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  return FilesIn(files, kDir);
}

TEST(LabelSetWriterTest, LabelsThatAreNotDenseAreRefused) {
  FakeFileSystem files;
  LabelSetIdentity identity = SmallIdentity();
  for (const char* codec : {"top_k", "hidden_fp32"}) {
    identity.codec = codec;
    const absl::Status status = LabelSetWriter::Open(&files, kDir, identity, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << codec;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is not dense"));
  }
}

TEST(LabelSetWriterTest, TheOrderOfFillingLeavesNoTrace) {
  const uint64_t seed = TestSeed();
  const auto expected = Undisturbed();
  EXPECT_THAT(expected, SizeIs(6));
  for (uint64_t stream = 0; stream < 5; ++stream) {
    FakeFileSystem files;
    const auto writer = OpenOrDie(files);
    for (const uint64_t block : Permutation(seed, stream, writer->identity().blocks())) {
      ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
    }
    ASSERT_TRUE(writer->Finish().ok());
    EXPECT_EQ(FilesIn(files, kDir), expected);
  }
}

TEST(LabelSetWriterTest, KilledTenTimesAtRandomTheResultIsTheSameBytes) {
  const uint64_t seed = TestSeed();
  const auto expected = Undisturbed();
  for (uint64_t round = 0; round < 20; ++round) {
    FakeFileSystem files;
    uint64_t draw = 0;
    for (int kill = 0; kill < 10; ++kill) {
      files.FailOperation(1 + UniformBelow(seed, round, draw++, 40),
                          absl::UnavailableError("killed"), true);
      // What was done before the kill counts; then the power goes, with torn writes left.
      FillAll(&files, kDir, SmallIdentity()).IgnoreError();
      files.Crash(UniformBelow(seed, round, draw++, 200));
    }
    ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
    ASSERT_EQ(FilesIn(files, kDir), expected) << "round " << round;
  }
}

TEST(LabelSetWriterTest, AKillAtAnyOperationLeavesASetThatGoesOn) {
  const auto expected = Undisturbed();
  FakeFileSystem counting;
  ASSERT_TRUE(FillAll(&counting, kDir, SmallIdentity()).ok());
  for (int64_t n = 1; n <= counting.operations(); ++n) {
    FakeFileSystem files;
    files.FailOperation(n, absl::UnavailableError("killed"), true);
    ASSERT_FALSE(FillAll(&files, kDir, SmallIdentity()).ok());
    files.Crash();
    ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
    ASSERT_EQ(FilesIn(files, kDir), expected) << "operation " << n;
  }
}

TEST(LabelSetWriterTest, CompletePartsAreKeptAndOthersAreMissing) {
  FakeFileSystem files;
  {
    const auto writer = OpenOrDie(files);
    for (const uint64_t block : {4, 5, 6, 7, 0, 1, 2, 18}) {
      ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
    }
    EXPECT_THAT(writer->MissingBlocks(), ElementsAre(3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17));
    EXPECT_TRUE(absl::IsFailedPrecondition(writer->Finish()));
  }
  files.Crash();
  EXPECT_THAT(OpenOrDie(files)->MissingBlocks(), SizeIs(15));
}

TEST(LabelSetWriterTest, ADamagedPartIsRedoneAndTheManifestGoesUntilItIs) {
  const auto expected = Undisturbed();
  FakeFileSystem files;
  ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  const std::string path = JoinPath(kDir, PartFileName(1));
  std::string bytes = *files.Read(path, 1 << 20);
  bytes[bytes.size() - 5] ^= 1;
  ASSERT_TRUE(files.Write(path, bytes).ok());
  EXPECT_THAT(OpenOrDie(files)->MissingBlocks(), ElementsAre(4, 5, 6, 7));
  EXPECT_FALSE(*files.Exists(JoinPath(kDir, kLabelSetManifestFile)));
  ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  EXPECT_EQ(FilesIn(files, kDir), expected);
}

TEST(LabelSetWriterTest, AFinishedSetHasNothingMissingAndATornManifestIsWrittenAnew) {
  const auto expected = Undisturbed();
  FakeFileSystem files;
  ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  EXPECT_THAT(OpenOrDie(files)->MissingBlocks(), IsEmpty());
  const std::string path = JoinPath(kDir, kLabelSetManifestFile);
  ASSERT_TRUE(files.Truncate(path, 100).ok());
  ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  EXPECT_EQ(FilesIn(files, kDir), expected);
}

TEST(LabelSetWriterTest, ADirectoryOfAnotherSetIsLeftAlone) {
  LabelSetIdentity other = SmallIdentity();
  other.fingerprint = "beef";
  FakeFileSystem files;
  // Unfinished: only the parts say whose they are.
  {
    const auto writer = OpenOrDie(files);
    for (const uint64_t block : {0, 1, 2, 3}) {
      ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
    }
  }
  const auto before = FilesIn(files, kDir);
  absl::Status status = LabelSetWriter::Open(&files, kDir, other, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kLabelSetOfOthers);
  EXPECT_EQ(FilesIn(files, kDir), before);
  ASSERT_TRUE(FillAll(&files, kDir, SmallIdentity()).ok());
  status = LabelSetWriter::Open(&files, kDir, other, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("fingerprint is 'f00d'"));
  ASSERT_TRUE(files.Write(JoinPath(kDir, kLabelSetManifestFile), "my notes").ok());
  status = LabelSetWriter::Open(&files, kDir, SmallIdentity(), {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST(LabelSetWriterTest, AFolderOfSomethingElseIsLeftAloneAndItsFileIsNamed) {
  for (const char* name : {"report.md", "blocks-7.labels", "blocks-00007.labels.bak"}) {
    FakeFileSystem files;
    ASSERT_TRUE(files.MakeDirectories(kDir).ok());
    ASSERT_TRUE(files.Write(JoinPath(kDir, name), "mine").ok());
    const absl::Status status = LabelSetWriter::Open(&files, kDir, SmallIdentity(), {}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_EQ(ErrorIdOf(status), ErrorId::kNotALabelSetFolder);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::string("no label set but '") + name + "'"));
    EXPECT_EQ(FilesIn(files, kDir), (std::map<std::string, std::string>{{name, "mine"}}));
  }
  // What a crash may leave is no stranger.
  FakeFileSystem files;
  ASSERT_TRUE(files.MakeDirectories(kDir).ok());
  for (const char* name : {"manifest.labelset.tmp", "blocks-00000.labels.tmp"}) {
    ASSERT_TRUE(files.Write(JoinPath(kDir, name), "torn").ok());
  }
  EXPECT_TRUE(CheckFolderOfSet(files, kDir).ok());
  // Nor is what somebody put beside a set.
  ASSERT_TRUE(files.Write(JoinPath(kDir, "README.md"), "of whom").ok());
  EXPECT_TRUE(CheckFolderOfSet(files, kDir).ok());
  ASSERT_TRUE(files.MakeDirectories("sets/system").ok());
  for (const char* name : {".nfs0001", "lost+found"}) {
    ASSERT_TRUE(files.Write(JoinPath("sets/system", name), "").ok());
  }
  EXPECT_TRUE(CheckFolderOfSet(files, "sets/system").ok());
  EXPECT_TRUE(CheckFolderOfSet(files, "sets/none").ok());
  EXPECT_FALSE(CheckFolderOfSet(files, JoinPath(kDir, "manifest.labelset.tmp")).ok());
}

TEST(LabelSetWriterTest, LabelsThatDoNotDecodeOrMayNotBeTrainedOnDoNotEnter) {
  LabelSetIdentity identity = SmallIdentity();
  identity.codec = "dense_fp32";
  FakeFileSystem files;
  const auto writer = OpenOrDie(files, identity);
  EncodedLabels labels = TrueBlock(identity, 2);
  labels.bytes.pop_back();
  const absl::Status torn = writer->Add(2, labels);
  EXPECT_TRUE(absl::IsDataLoss(torn));
  EXPECT_THAT(std::string(torn.message()), HasSubstr("block 2"));
  labels = TrueBlock(identity, 2);
  // One row holds one value only.
  labels.bytes.replace(0, 12, std::string(12, '\0'));
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(2, labels)));
  EXPECT_THAT(writer->MissingBlocks(), SizeIs(19));
  EXPECT_TRUE(absl::IsOutOfRange(writer->Add(19, TrueBlock(identity, 2))));
  // The last block has six rows, not eight.
  EXPECT_TRUE(absl::IsDataLoss(writer->Add(18, TrueBlock(identity, 2))));
}

TEST(LabelSetWriterTest, PendingBlocksAreBoundedAndOnePartIsAlwaysAllowed) {
  FakeFileSystem files;
  const auto writer = OpenOrDie(files, SmallIdentity(), {.max_pending_bytes = 100});
  const auto add = [&](uint64_t block) {
    return writer->Add(block, TrueBlock(writer->identity(), block));
  };
  // 80 bytes a block.
  ASSERT_TRUE(add(0).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(add(4)));
  for (const uint64_t block : {1, 2, 3}) ASSERT_TRUE(add(block).ok());
  EXPECT_TRUE(add(4).ok());
}

TEST(LabelSetWriterTest, AfterAFailedWriteThePartIsMissingAgain) {
  FakeFileSystem files;
  const auto writer = OpenOrDie(files);
  for (const uint64_t block : {0, 1, 2}) {
    ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
  }
  files.FailOperation(1, absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(absl::IsResourceExhausted(writer->Add(3, TrueBlock(writer->identity(), 3))));
  EXPECT_THAT(writer->MissingBlocks(), SizeIs(19));
  for (const uint64_t block : writer->MissingBlocks()) {
    ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
  }
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(FilesIn(files, kDir), Undisturbed());
}

TEST(LabelSetWriterTest, ADeviceThatFailsIsNotTakenForDamagedLabels) {
  FakeFileSystem files;
  const auto writer = OpenOrDie(files);
  for (const uint64_t block : {0, 1, 2}) {
    ASSERT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
  }
  files.FailOperation(1,
                      WithErrorId(absl::DataLossError("Input/output error"), ErrorId::kDiskBroken));
  const absl::Status status = writer->Add(3, TrueBlock(writer->identity(), 3));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kDiskBroken);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Input/output error"));
}

TEST(LabelSetWriterTest, ThreadsFillItTogether) {
  FakeFileSystem files;
  const auto writer = OpenOrDie(files);
  std::vector<std::thread> threads;
  for (uint64_t first = 0; first < 4; ++first) {
    threads.emplace_back([&, first] {
      for (uint64_t block = first; block < 19; block += 2) {
        EXPECT_TRUE(writer->Add(block, TrueBlock(writer->identity(), block)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(FilesIn(files, kDir), Undisturbed());
}

}  // namespace
}  // namespace distill
