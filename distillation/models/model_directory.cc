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
#include "common/status/status_macros.h"
#include "distillation/models/model_file.h"

namespace distill {
namespace {

constexpr size_t kMaxManifestBytes = size_t{4} << 20;
constexpr size_t kMaxProgramBytes = size_t{64} << 30;
constexpr uint64_t kBlockBytes = uint64_t{8} << 20;
constexpr uint32_t kFormatVersion = 1;
constexpr int kMaxDepth = 16;

std::string HowToWrite(const std::string& folder) {
  return absl::StrCat("if you trust who made it, write the manifest anew: distillctl model ",
                      "manifest ", folder);
}

absl::StatusOr<v1::ModelDirectoryManifest> ReadManifest(FileSystem& files,
                                                        const std::string& folder) {
  const std::string path = JoinPath(folder, kModelManifestFile);
  const auto text = files.Read(path, kMaxManifestBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::FailedPreconditionError(absl::StrCat(folder, " has no ", kModelManifestFile,
                                                      "; look at the files in it, then ",
                                                      HowToWrite(folder)));
  }
  RETURN_IF_ERROR(text.status());
  v1::ModelDirectoryManifest manifest;
  const auto parsed = google::protobuf::util::JsonStringToMessage(*text, &manifest);
  if (!parsed.ok()) {
    return absl::DataLossError(
        absl::StrCat(path, ": ", std::string(parsed.message()), "; ", HowToWrite(folder)));
  }
  if (manifest.format_version() == kFormatVersion) return manifest;
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": format_version is ", manifest.format_version(),
                   ", but this program reads ", kFormatVersion, "; ", HowToWrite(folder)));
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

// The digests of what is at or below `path`, which is `name` in the manifest.
absl::Status AddFiles(FileSystem& files, const std::string& root, const std::string& name,
                      int depth, v1::ModelDirectoryManifest& manifest) {
  const std::string path = name.empty() ? root : JoinPath(root, name);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& child : names) {
    const std::string below = name.empty() ? child : JoinPath(name, child);
    const std::string place = JoinPath(root, below);
    const bool program = absl::EndsWith(child, ".pt") || absl::EndsWith(child, ".pt2");
    if (!program) {
      // A folder, or a file of another kind.
      if (depth < kMaxDepth && files.List(place).ok()) {
        RETURN_IF_ERROR(AddFiles(files, root, below, depth + 1, manifest));
      }
      continue;
    }
    ASSIGN_OR_RETURN(const std::string real, files.RealPath(place));
    RETURN_IF_ERROR(Annotate(CheckInside(root, real), place));
    ASSIGN_OR_RETURN((*manifest.mutable_files())[below], DigestOf(files, real));
  }
  return absl::OkStatus();
}

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
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": this process has no model directory; start it with --model-dir DIR ",
                     "--allow-executable-models"));
  }
  if (!options_.allow_executable) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, " is a program, and may do whatever this process may; if you trust who made it, ",
        "start the process with --allow-executable-models"));
  }
  const auto place = PlaceOf(file.file());
  if (!place.ok()) return Annotate(place.status(), what);
  ASSIGN_OR_RETURN(const v1::ModelDirectoryManifest manifest, ReadManifest(*files_, options_.path));
  const auto listed = manifest.files().find(file.file());
  if (listed == manifest.files().end()) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, " is not in the manifest of ", options_.path, "; ", HowToWrite(options_.path)));
  }
  if (!file.sha256().empty() && file.sha256() != listed->second) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, " has SHA-256 ", listed->second, " in the manifest, but the one asked for is ",
        file.sha256(), "; put that file there, or correct sha256 in the plan"));
  }
  Program program;
  ASSIGN_OR_RETURN(program.bytes, files_->Read(*place, kMaxProgramBytes));
  program.sha256 = Sha256Hex(program.bytes);
  if (program.sha256 != listed->second) {
    return absl::DataLossError(absl::StrCat(
        what, " has SHA-256 ", program.sha256, ", but its manifest names ", listed->second,
        "; it was changed: put the former one back, or ", HowToWrite(options_.path)));
  }
  if (options_.log != nullptr) {
    options_.log(absl::StrCat("loads the program ", *place, ", SHA-256 ", program.sha256,
                              ": --allow-executable-models is set"));
  }
  return program;
}

absl::StatusOr<v1::ModelDirectoryManifest> WriteModelManifest(FileSystem& files,
                                                              const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string root, files.RealPath(folder));
  v1::ModelDirectoryManifest manifest;
  manifest.set_format_version(kFormatVersion);
  RETURN_IF_ERROR(AddFiles(files, root, "", 0, manifest));
  if (manifest.files().empty()) {
    return absl::NotFoundError(
        absl::StrCat(folder, " holds no *.pt and no *.pt2 file; copy models into it first"));
  }
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto printed = google::protobuf::util::MessageToJsonString(manifest, &text, options);
  if (!printed.ok()) {
    return absl::InternalError(
        absl::StrCat("the manifest cannot be printed: ", std::string(printed.message())));
  }
  RETURN_IF_ERROR(CheckReplaceable(files, JoinPath(root, kModelManifestFile)));
  RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(root, kModelManifestFile), text));
  return manifest;
}

}  // namespace distill
