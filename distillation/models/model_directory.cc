#include "distillation/models/model_directory.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/models/model_file.h"

namespace distill {
namespace {

constexpr size_t kMaxManifestBytes = size_t{4} << 20;
constexpr size_t kMaxProgramBytes = size_t{64} << 30;
constexpr uint64_t kBlockBytes = uint64_t{8} << 20;
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kMaxDepth = 16;
constexpr int kMaxFiles = 10'000;
constexpr int kMaxFolders = 10'000;

std::string HowToWrite(const std::string& folder) {
  return absl::StrCat("if you trust who made it, write the manifest anew: distillctl model ",
                      "manifest ", folder);
}

// Of a manifest that says nothing: it may be anybody's, so it is not replaced unasked.
std::string HowToReplace(const std::string& folder) {
  return absl::StrCat("look at the files in that folder; if you trust who made them, remove the ",
                      "manifest, then write it anew: distillctl model manifest ", folder);
}

absl::StatusOr<v1::ModelDirectoryManifest> ReadManifest(FileSystem& files,
                                                        const std::string& folder) {
  const std::string path = JoinPath(folder, kModelManifestFile);
  const auto text = files.Read(path, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) {
    return WithErrorId(absl::FailedPreconditionError(
                           absl::StrCat(folder, " has no ", kModelManifestFile,
                                        "; look at the files in it, then ", HowToWrite(folder))),
                       ErrorId::kProgramNotInManifest);
  }
  RETURN_IF_ERROR(text.status());
  v1::ModelDirectoryManifest manifest;
  const auto parsed = google::protobuf::util::JsonStringToMessage(*text, &manifest);
  if (!parsed.ok()) {
    return WithErrorId(absl::DataLossError(absl::StrCat(path, ": ", std::string(parsed.message()),
                                                        "; ", HowToReplace(folder))),
                       ErrorId::kModelManifestUnreadable);
  }
  if (manifest.format_version() == kFormatVersion) return manifest;
  return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                         path, ": format_version is ", manifest.format_version(),
                         ", but this program reads ", kFormatVersion, "; ", HowToReplace(folder))),
                     ErrorId::kModelManifestUnreadable);
}

absl::StatusOr<std::string> TextOf(const v1::ModelDirectoryManifest& manifest) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto printed = google::protobuf::util::MessageToJsonString(manifest, &text, options);
  if (printed.ok()) return text;
  return absl::InternalError(
      absl::StrCat("the manifest cannot be printed: ", std::string(printed.message())));
}

// Exports and checkpoints have a file of that name too.
absl::Status CheckReplaceable(FileSystem& files, const std::string& path) {
  const auto text = files.Read(path, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  v1::ModelDirectoryManifest former;
  if (google::protobuf::util::JsonStringToMessage(*text, &former).ok()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      path, " is not that of a model directory; copy the models into a folder of their own, or ",
      "remove the file"));
}

absl::Status CheckInside(const std::string& folder, const std::string& place) {
  if (absl::StartsWith(place, folder == "/" ? "/" : absl::StrCat(folder, "/"))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("it leads out of the model directory, to ", place,
                                                 "; copy the file into ", folder));
}

absl::StatusOr<std::string> DigestOf(FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(const uint64_t size, files.Size(path));
  Sha256 digest;
  for (uint64_t at = 0; at < size;) {
    const uint64_t length = std::min(kBlockBytes, size - at);
    ASSIGN_OR_RETURN(const std::string block,
                     files.ReadRange(path, at, static_cast<size_t>(length)));
    digest.Update(block);
    at += length;
  }
  return digest.FinishHex();
}

// Finds the programs of a model directory. Used once.
class ManifestWalk {
 public:
  // `root` has no links.
  ManifestWalk(FileSystem& files, const std::string& root, v1::ModelDirectoryManifest& manifest)
      : files_(files), root_(root), manifest_(manifest) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(root_));
    return AddFolder("", root_, names);
  }

 private:
  // What `name` of the manifest holds, which is at `real`.
  absl::Status AddFolder(const std::string& name, const std::string& real,
                         const std::vector<std::string>& children) {
    if (around_.size() > kMaxDepth) {
      return absl::OutOfRangeError(absl::StrCat(JoinPath(root_, name), ": lies more than ",
                                                kMaxDepth, " folders below ", root_,
                                                "; move it up or out"));
    }
    // Links may lead to one folder in many ways.
    if (++folders_ > kMaxFolders) return TooMany(kMaxFolders, "folders");
    around_.push_back(real);
    for (const std::string& child : children) {
      RETURN_IF_ERROR(AddChild(name.empty() ? child : JoinPath(name, child)));
    }
    around_.pop_back();
    return absl::OkStatus();
  }

  absl::Status AddChild(const std::string& name) {
    const std::string place = JoinPath(root_, name);
    const auto children = files_.List(place);
    if (children.ok()) {
      ASSIGN_OR_RETURN(const std::string real, files_.RealPath(place));
      if (std::ranges::find(around_, real) != around_.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat(place, ": is a link to ", real, ", which holds it; remove the link"));
      }
      RETURN_IF_ERROR(Annotate(CheckInside(root_, real), place));
      return AddFolder(name, real, *children);
    }
    // A file is no folder; a link to nothing holds nothing.
    if (!absl::IsFailedPrecondition(children.status()) && !absl::IsNotFound(children.status())) {
      return Reworded(children.status(), children.status().code(),
                      absl::StrCat(children.status().message(),
                                   "; the manifest would lack what it holds: mend that, or move it "
                                   "out of ",
                                   root_));
    }
    if (!absl::EndsWith(name, ".pt") && !absl::EndsWith(name, ".pt2")) return absl::OkStatus();
    if (manifest_.files_size() == kMaxFiles) return TooMany(kMaxFiles, "models");
    ASSIGN_OR_RETURN(const std::string real, files_.RealPath(place));
    RETURN_IF_ERROR(Annotate(CheckInside(root_, real), place));
    ASSIGN_OR_RETURN((*manifest_.mutable_files())[name], DigestOf(files_, real));
    return absl::OkStatus();
  }

  absl::Status TooMany(int bound, const char* what) const {
    return absl::OutOfRangeError(absl::StrCat(root_, ": holds more than ", bound, " ", what,
                                              "; split it into several model directories"));
  }

  FileSystem& files_;
  const std::string& root_;
  v1::ModelDirectoryManifest& manifest_;
  // Where the folders lie that hold the one being listed, without links.
  std::vector<std::string> around_;
  int folders_ = 0;
};

}  // namespace

ModelDirectory::ModelDirectory(FileSystem* files, Options options)
    : files_(files), options_(std::move(options)) {}

// Where the file is, links followed.
absl::StatusOr<std::string> ModelDirectory::PlaceOf(const std::string& file) const {
  RETURN_IF_ERROR(CheckPathBelow(file));
  ASSIGN_OR_RETURN(const std::string folder, files_->RealPath(options_.path));
  ASSIGN_OR_RETURN(std::string place, files_->RealPath(JoinPath(folder, file)));
  RETURN_IF_ERROR(CheckInside(folder, place));
  return place;
}

absl::StatusOr<Program> ModelDirectory::Load(const v1::ModelFile& file) const {
  const std::string what = absl::StrCat("model file ", file.file());
  if (options_.path.empty()) {
    return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                           what, ": this process has no model directory; start it with ",
                           "--model-dir DIR --allow-executable-models")),
                       ErrorId::kProgramsNotAllowed);
  }
  if (!options_.allow_executable) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            what, " is a program, and may do whatever this process may; if you trust who made it, ",
            "start the process with --allow-executable-models")),
        ErrorId::kProgramsNotAllowed);
  }
  const auto place = PlaceOf(file.file());
  if (!place.ok()) return Annotate(place.status(), what);
  ASSIGN_OR_RETURN(const v1::ModelDirectoryManifest manifest, ReadManifest(*files_, options_.path));
  const auto listed = manifest.files().find(file.file());
  if (listed == manifest.files().end()) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(what, " is not in the manifest of ",
                                                   options_.path, "; ", HowToWrite(options_.path))),
        ErrorId::kProgramNotInManifest);
  }
  if (!file.sha256().empty() && file.sha256() != listed->second) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            what, " has SHA-256 ", listed->second, " in the manifest, but the one asked for is ",
            file.sha256(), "; put that file there, or correct sha256 in the plan")),
        ErrorId::kProgramChanged);
  }
  Program program;
  ASSIGN_OR_RETURN(program.bytes, files_->Read(*place, kMaxProgramBytes));
  program.sha256 = Sha256Hex(program.bytes);
  if (program.sha256 != listed->second) {
    return WithErrorId(
        absl::DataLossError(absl::StrCat(
            what, " has SHA-256 ", program.sha256, ", but its manifest names ", listed->second,
            "; it was changed: put the former one back, or ", HowToWrite(options_.path))),
        ErrorId::kProgramChanged);
  }
  if (options_.log != nullptr) {
    options_.log(absl::StrCat("loads the program ", *place, ", SHA-256 ", program.sha256,
                              ": --allow-executable-models is set"));
  }
  return program;
}

absl::StatusOr<v1::ModelDirectoryManifest> MakeModelManifest(FileSystem& files,
                                                             const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string root, files.RealPath(folder));
  v1::ModelDirectoryManifest manifest;
  manifest.set_format_version(kFormatVersion);
  RETURN_IF_ERROR(ManifestWalk(files, root, manifest).Run());
  if (manifest.files().empty()) {
    return absl::NotFoundError(
        absl::StrCat(folder, " holds no *.pt and no *.pt2 file; copy models into it first"));
  }
  ASSIGN_OR_RETURN(const std::string text, TextOf(manifest));
  // One that could not be read again is none.
  if (text.size() > kMaxManifestBytes) {
    return absl::OutOfRangeError(absl::StrCat(
        root, ": its manifest would have ", text.size(), " bytes, more than the ",
        kMaxManifestBytes, " that are read; shorten the names, or split it into several"));
  }
  RETURN_IF_ERROR(CheckReplaceable(files, JoinPath(root, kModelManifestFile)));
  return manifest;
}

absl::StatusOr<v1::ModelDirectoryManifest> WriteModelManifest(FileSystem& files,
                                                              const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string root, files.RealPath(folder));
  ASSIGN_OR_RETURN(v1::ModelDirectoryManifest manifest, MakeModelManifest(files, root));
  ASSIGN_OR_RETURN(const std::string text, TextOf(manifest));
  RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(root, kModelManifestFile), text));
  return manifest;
}

}  // namespace distill
