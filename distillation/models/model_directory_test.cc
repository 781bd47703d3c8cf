#include "distillation/models/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/digest/sha256.h"
#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Code = absl::StatusCode;

v1::ModelFile Named(const std::string& file, const std::string& sha256 = "") {
  v1::ModelFile named;
  named.set_file(file);
  named.set_sha256(sha256);
  return named;
}

class ModelDirectoryTest : public ::testing::Test {
 protected:
  ModelDirectoryTest() {
    EXPECT_TRUE(files_.MakeDirectories("/models/big").ok());
    EXPECT_TRUE(files_.Write("/models/a.pt", "module").ok());
    EXPECT_TRUE(files_.Write("/models/big/b.pt2", "package").ok());
    EXPECT_TRUE(files_.Write("/models/README", "text").ok());
    EXPECT_TRUE(files_.Write("/outside.pt", "module").ok());
    EXPECT_TRUE(WriteModelManifest(files_, "/models").ok());
  }

  ModelDirectory Directory(ModelDirectory::Options options) {
    options.log = [this](const std::string& line) { log_.push_back(line); };
    return ModelDirectory(&files_, std::move(options));
  }
  ModelDirectory Trusted() { return Directory({.path = "/models", .allow_executable = true}); }

  void ExpectRefused(const absl::StatusOr<Program>& program, Code code, const std::string& part) {
    EXPECT_EQ(program.status().code(), code) << program.status();
    EXPECT_THAT(std::string(program.status().message()), HasSubstr(part));
    EXPECT_TRUE(log_.empty());
  }

  FakeFileSystem files_;
  std::vector<std::string> log_;
};

TEST_F(ModelDirectoryTest, AListedProgramIsReadAndTheLogSaysSo) {
  const auto program = Trusted().Load(Named("big/b.pt2"));
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(program->bytes, "package");
  EXPECT_EQ(program->sha256, Sha256Hex("package"));
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_THAT(log_[0],
              HasSubstr("loads the program /models/big/b.pt2, SHA-256 " + Sha256Hex("package")));
  EXPECT_TRUE(Trusted().Load(Named("a.pt", Sha256Hex("module"))).ok());
}

TEST_F(ModelDirectoryTest, WithoutADirectoryNothingIsLoaded) {
  ExpectRefused(ModelDirectory().Load(Named("a.pt")), Code::kFailedPrecondition,
                "start it with --model-dir DIR");
  ExpectRefused(Directory({.path = "", .allow_executable = true}).Load(Named("a.pt")),
                Code::kFailedPrecondition, "start it with --model-dir DIR");
}

TEST_F(ModelDirectoryTest, ProgramsAreLoadedOnlyWhereThatIsAllowed) {
  ExpectRefused(Directory({.path = "/models"}).Load(Named("a.pt")), Code::kFailedPrecondition,
                "--allow-executable-models");
}

TEST_F(ModelDirectoryTest, PathsThatLeaveTheDirectoryAreRefused) {
  for (const char* path : {"/outside.pt", "../outside.pt", "big/../../outside.pt", ""}) {
    ExpectRefused(Trusted().Load(Named(path)), Code::kInvalidArgument, "model file");
  }
}

TEST_F(ModelDirectoryTest, AMissingFileIsNotFound) {
  ExpectRefused(Trusted().Load(Named("no.pt")), Code::kNotFound, "no.pt");
}

TEST_F(ModelDirectoryTest, WithoutAManifestNothingIsLoaded) {
  ASSERT_TRUE(files_.RemoveTree("/models/manifest.json").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kFailedPrecondition,
                "distillctl model manifest /models");
}

TEST_F(ModelDirectoryTest, AFileThatIsNotInTheManifestIsRefused) {
  ASSERT_TRUE(files_.Write("/models/new.pt", "new").ok());
  ExpectRefused(Trusted().Load(Named("new.pt")), Code::kFailedPrecondition,
                "not in the manifest of /models; if you trust who made it");
}

TEST_F(ModelDirectoryTest, AFileThatChangedIsDataLoss) {
  ASSERT_TRUE(files_.Write("/models/a.pt", "modulE").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kDataLoss, Sha256Hex("modulE"));
}

TEST_F(ModelDirectoryTest, AnotherFileThanThePlanNamesIsRefused) {
  ExpectRefused(Trusted().Load(Named("a.pt", Sha256Hex("other"))), Code::kFailedPrecondition,
                Sha256Hex("other"));
}

TEST_F(ModelDirectoryTest, AManifestThatIsNoneIsDataLoss) {
  ASSERT_TRUE(files_.Write("/models/manifest.json", "{").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kDataLoss, "write the manifest anew");
  ASSERT_TRUE(files_.Write("/models/manifest.json", "{\"format_version\": 2}").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kFailedPrecondition, "format_version is 2");
}

TEST_F(ModelDirectoryTest, AManifestHasTheProgramsBelowTheFolderAndNothingElse) {
  const auto manifest = WriteModelManifest(files_, "/models");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(manifest->files(), UnorderedElementsAre(Pair("a.pt", Sha256Hex("module")),
                                                      Pair("big/b.pt2", Sha256Hex("package"))));
  ASSERT_TRUE(files_.MakeDirectories("/empty").ok());
  EXPECT_EQ(WriteModelManifest(files_, "/empty").status().code(), Code::kNotFound);
  EXPECT_EQ(WriteModelManifest(files_, "/no").status().code(), Code::kNotFound);
}

TEST_F(ModelDirectoryTest, TheManifestOfAnExportIsNotReplaced) {
  ASSERT_TRUE(files_.MakeDirectories("/export").ok());
  ASSERT_TRUE(files_.Write("/export/model.pt", "module").ok());
  ASSERT_TRUE(
      files_.Write("/export/manifest.json", "{\"format_version\": 1, \"run_id\": \"r\"}").ok());
  const auto refused = WriteModelManifest(files_, "/export");
  EXPECT_EQ(refused.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(*files_.Read("/export/manifest.json", 1000), HasSubstr("run_id"));
}

TEST(ModelDirectory, ALinkOutOfTheDirectoryIsRefusedAndOneWithinIsFollowed) {
  PosixFileSystem files;
  const std::string root = JoinPath(::testing::TempDir(), "links");
  const std::string models = JoinPath(root, "models");
  ASSERT_TRUE(files.RemoveTree(root).ok());
  ASSERT_TRUE(files.MakeDirectories(models).ok());
  ASSERT_TRUE(files.Write(JoinPath(root, "outside.pt"), "outside").ok());
  ASSERT_TRUE(files.Write(JoinPath(models, "a.pt"), "a").ok());
  ASSERT_EQ(symlink("a.pt", JoinPath(models, "same.pt").c_str()), 0);
  ASSERT_TRUE(WriteModelManifest(files, models).ok());
  const ModelDirectory directory(&files, {.path = models, .allow_executable = true});
  EXPECT_EQ(directory.Load(Named("same.pt"))->bytes, "a");

  // The manifest is that of the link's former content.
  ASSERT_TRUE(files.RemoveTree(JoinPath(models, "same.pt")).ok());
  ASSERT_EQ(symlink("../outside.pt", JoinPath(models, "same.pt").c_str()), 0);
  const auto program = directory.Load(Named("same.pt"));
  EXPECT_EQ(program.status().code(), Code::kInvalidArgument) << program.status();
  EXPECT_THAT(std::string(program.status().message()),
              HasSubstr("leads out of the model directory"));
  EXPECT_EQ(WriteModelManifest(files, models).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace distill
