#include "distillation/models/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"
#include "common/status/error_id.h"

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
  const auto program = ModelDirectory().Load(Named("a.pt"));
  ExpectRefused(program, Code::kFailedPrecondition, "start it with --model-dir DIR");
  EXPECT_EQ(ErrorIdOf(program.status()), ErrorId::kProgramsNotAllowed);
  ExpectRefused(Directory({.path = "", .allow_executable = true}).Load(Named("a.pt")),
                Code::kFailedPrecondition, "start it with --model-dir DIR");
}

TEST_F(ModelDirectoryTest, ProgramsAreLoadedOnlyWhereThatIsAllowed) {
  const auto program = Directory({.path = "/models"}).Load(Named("a.pt"));
  ExpectRefused(program, Code::kFailedPrecondition, "--allow-executable-models");
  EXPECT_EQ(ErrorIdOf(program.status()), ErrorId::kProgramsNotAllowed);
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
  const auto program = Trusted().Load(Named("a.pt", Sha256Hex("other")));
  ExpectRefused(program, Code::kFailedPrecondition, Sha256Hex("other"));
  EXPECT_EQ(ErrorIdOf(program.status()), ErrorId::kProgramChanged);
}

TEST_F(ModelDirectoryTest, AManifestThatIsNoneIsDataLoss) {
  ASSERT_TRUE(files_.Write("/models/manifest.json", "{").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kDataLoss, "remove the manifest");
  ASSERT_TRUE(files_.Write("/models/manifest.json", "{\"format_version\": 2}").ok());
  ExpectRefused(Trusted().Load(Named("a.pt")), Code::kFailedPrecondition, "format_version is 2");
}

TEST_F(ModelDirectoryTest, AManifestHasTheProgramsBelowTheFolderAndNothingElse) {
  const auto programs = UnorderedElementsAre(Pair("a.pt", Sha256Hex("module")),
                                             Pair("big/b.pt2", Sha256Hex("package")));
  ASSERT_TRUE(files_.RemoveTree("/models/manifest.json").ok());
  const auto made = MakeModelManifest(files_, "/models");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->files(), programs);
  EXPECT_FALSE(*files_.Exists("/models/manifest.json"));
  const auto manifest = WriteModelManifest(files_, "/models");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(manifest->files(), programs);
  EXPECT_TRUE(*files_.Exists("/models/manifest.json"));
  ASSERT_TRUE(files_.MakeDirectories("/empty").ok());
  EXPECT_EQ(WriteModelManifest(files_, "/empty").status().code(), Code::kNotFound);
  EXPECT_EQ(WriteModelManifest(files_, "/no").status().code(), Code::kNotFound);
}

TEST_F(ModelDirectoryTest, WhatARefusalSaysToDoMendsIt) {
  const auto write = [this](const char* file, const char* text) {
    return [=, this] { return files_.Write(file, text).ok(); };
  };
  const std::string manifest = "/models/manifest.json";
  const std::vector<std::pair<ErrorId, std::function<bool()>>> cases = {
      {ErrorId::kProgramNotInManifest, [&] { return files_.RemoveTree(manifest).ok(); }},
      {ErrorId::kProgramNotInManifest, write("/models/manifest.json", "{\"format_version\": 1}")},
      {ErrorId::kProgramChanged, write("/models/a.pt", "modulE")},
      {ErrorId::kModelManifestUnreadable, write("/models/manifest.json", "{\"files\": {\"a.p")},
      {ErrorId::kModelManifestUnreadable,
       write("/models/manifest.json", "{\"format_version\": 2, \"signed_by\": \"me\"}")},
      {ErrorId::kModelManifestUnreadable,
       write("/models/manifest.json", "{\"format_version\": 2}")},
  };
  for (const auto& [id, spoil] : cases) {
    ASSERT_TRUE(spoil());
    const absl::Status refused = Trusted().Load(Named("a.pt")).status();
    EXPECT_EQ(ErrorIdOf(refused), id) << refused;
    const std::string advice(refused.message());
    EXPECT_THAT(advice, HasSubstr("distillctl model manifest /models"));
    if (advice.find("remove the manifest") != std::string::npos) {
      ASSERT_TRUE(files_.RemoveTree(manifest).ok());
    }
    const auto written = WriteModelManifest(files_, "/models");
    EXPECT_TRUE(written.ok()) << refused << " -> " << written.status();
    EXPECT_TRUE(Trusted().Load(Named("a.pt")).ok()) << refused;
  }
}

TEST_F(ModelDirectoryTest, NothingIsLeftOutOfAManifestBecauseItCannotBeRead) {
  const int64_t before = files_.operations();
  ASSERT_TRUE(WriteModelManifest(files_, "/models").ok());
  const int64_t operations = files_.operations() - before;
  for (int64_t n = 1; n <= operations; ++n) {
    files_.FailOperation(n, absl::PermissionDeniedError("not yours"));
    EXPECT_EQ(WriteModelManifest(files_, "/models").status().code(), Code::kPermissionDenied) << n;
  }
}

TEST_F(ModelDirectoryTest, WhatAManifestCannotHoldIsSaid) {
  const auto error = [this] {
    const absl::Status status = WriteModelManifest(files_, "/models").status();
    EXPECT_EQ(status.code(), Code::kOutOfRange);
    return std::string(status.message());
  };
  std::string deep = "/models";
  for (int i = 0; i < 16; ++i) deep = JoinPath(deep, "d");
  ASSERT_TRUE(files_.MakeDirectories(deep).ok());
  ASSERT_TRUE(files_.Write(JoinPath(deep, "a.pt"), "a").ok());
  EXPECT_TRUE(WriteModelManifest(files_, "/models").ok());
  EXPECT_TRUE(Trusted().Load(Named(JoinPath(deep, "a.pt").substr(8))).ok());
  ASSERT_TRUE(files_.MakeDirectories(JoinPath(deep, "d")).ok());
  EXPECT_THAT(error(), HasSubstr("more than 16 folders below /models"));
  ASSERT_TRUE(files_.RemoveTree("/models/d").ok());

  const std::string name(600, 'n');
  const auto many = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(files_.Write(absl::StrCat("/models/", name, i, ".pt"), "").ok());
    }
  };
  many(8000);
  EXPECT_THAT(error(), HasSubstr("bytes, more than the 4194304 that are read"));
  many(10000);
  EXPECT_THAT(error(), HasSubstr("holds more than 10000 models"));
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

TEST(ModelDirectory, FoldersThatLinksMultiplyAreBounded) {
  PosixFileSystem files;
  const std::string models = JoinPath(::testing::TempDir(), "many_ways");
  ASSERT_TRUE(files.RemoveTree(models).ok());
  // Each step has two ways to the next: 2^14 ways in all.
  for (int step = 0; step < 14; ++step) {
    const std::string folder = JoinPath(models, absl::StrCat("f", step));
    ASSERT_TRUE(files.MakeDirectories(folder).ok());
    const std::string next = absl::StrCat("../f", step + 1);
    for (const char* link : {"a", "b"}) {
      ASSERT_EQ(symlink(next.c_str(), JoinPath(folder, link).c_str()), 0);
    }
  }
  ASSERT_TRUE(files.MakeDirectories(JoinPath(models, "f14")).ok());
  const absl::Status refused = WriteModelManifest(files, models).status();
  EXPECT_EQ(refused.code(), Code::kOutOfRange) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("holds more than 10000 folders"));
}

TEST(ModelDirectory, ALinkedFolderIsFollowedUnlessItLeadsOutOrAround) {
  PosixFileSystem files;
  const std::string root = JoinPath(::testing::TempDir(), "folder_links");
  const std::string models = JoinPath(root, "models");
  ASSERT_TRUE(files.RemoveTree(root).ok());
  ASSERT_TRUE(files.MakeDirectories(JoinPath(models, "big")).ok());
  ASSERT_TRUE(files.MakeDirectories(JoinPath(root, "outside")).ok());
  ASSERT_TRUE(files.Write(JoinPath(models, "big/b.pt"), "b").ok());
  const auto write_with = [&](const char* target, const std::string& link) {
    EXPECT_EQ(symlink(target, JoinPath(models, link).c_str()), 0);
    const auto manifest = WriteModelManifest(files, models);
    EXPECT_TRUE(files.RemoveTree(JoinPath(models, link)).ok());
    return manifest;
  };
  const auto within = write_with("big", "same");
  ASSERT_TRUE(within.ok()) << within.status();
  EXPECT_TRUE(within->files().contains("same/b.pt"));
  const auto nowhere = write_with("gone", "lock");
  ASSERT_TRUE(nowhere.ok()) << nowhere.status();
  EXPECT_THAT(nowhere->files(), UnorderedElementsAre(Pair("big/b.pt", Sha256Hex("b"))));

  for (const auto& [target, link, part] :
       {std::tuple{".", "loop", "which holds it"}, std::tuple{"..", "big/loop", "which holds it"},
        std::tuple{"../outside", "x", "leads out of the model directory"},
        std::tuple{"/", "x", "leads out of the model directory"}}) {
    const absl::Status refused = write_with(target, link).status();
    EXPECT_EQ(refused.code(), Code::kInvalidArgument) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(part));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(JoinPath(models, link)));
  }
}

}  // namespace
}  // namespace distill
