#include "student_worker/checkpoint/checkpoint.h"

#include <google/protobuf/util/json_util.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest/crc32c.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kManifestFile[] = "manifest.json";
constexpr size_t kMaxManifestBytes = size_t{16} << 20;
constexpr size_t kMaxPartBytes = size_t{64} << 30;

std::string PartFile(int32_t rank) {
  return rank == kSharedPart ? "shared.safetensors" : absl::StrCat("rank-", rank, ".safetensors");
}

absl::Status CheckParts(const v1::CheckpointManifest& manifest) {
  std::set<int32_t> missing = {kSharedPart};
  for (uint32_t rank = 0; rank < manifest.world_size(); ++rank) missing.insert(rank);
  for (const v1::FilePart& part : manifest.files()) {
    if (part.name() == PartFile(part.rank()) && missing.erase(part.rank()) == 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the manifest names a part that does not belong to it: ", part.name()));
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the manifest lacks the part ", PartFile(*missing.begin())));
}

absl::StatusOr<std::string> Print(const v1::CheckpointManifest& manifest) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(manifest, &text, options);
  if (!status.ok()) return absl::InvalidArgumentError(status.ToString());
  return text;
}

absl::StatusOr<v1::CheckpointManifest> ReadManifest(FileSystem& files, const std::string& path,
                                                    const v1::CheckpointRef& ref) {
  ASSIGN_OR_RETURN(const std::string text, files.Read(path, kMaxManifestBytes));
  if (Sha256Hex(text) != ref.manifest_digest()) {
    return WithErrorId(
        absl::DataLossError(absl::StrCat(path, " is not the manifest that was committed")),
        ErrorId::kCheckpointDamaged);
  }
  v1::CheckpointManifest manifest;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // the version says what matters
  if (!google::protobuf::util::JsonStringToMessage(text, &manifest, options).ok()) {
    return WithErrorId(absl::DataLossError(absl::StrCat(path, " is not a manifest")),
                       ErrorId::kCheckpointDamaged);
  }
  if (manifest.format_version() != kCheckpointFormatVersion) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            path, " has format version ", manifest.format_version(), ", this program reads ",
            kCheckpointFormatVersion, "; resume with the version that wrote it")),
        ErrorId::kCheckpointOfAnotherPlan);
  }
  if (manifest.run_id() != ref.run_id() || manifest.step() != ref.step()) {
    return WithErrorId(absl::DataLossError(absl::StrCat(path, " is of another run or step")),
                       ErrorId::kCheckpointDamaged);
  }
  return manifest;
}

absl::Status CheckSame(const std::string& what, const std::string& recorded,
                       const std::string& expected) {
  if (recorded == expected) return absl::OkStatus();
  return WithErrorId(
      absl::FailedPreconditionError(
          absl::StrCat("the checkpoint was written with another ", what, " (", recorded, ", now ",
                       expected, "); restore that one, or start the plan in a new run directory")),
      ErrorId::kCheckpointOfAnotherPlan);
}

absl::Status CheckExpected(const v1::CheckpointManifest& manifest,
                           const CheckpointExpectation& expected) {
  RETURN_IF_ERROR(CheckSame("configuration", manifest.config_digest(), expected.config_digest));
  RETURN_IF_ERROR(CheckSame("data set", manifest.data_set_digest(), expected.data_set_digest));
  RETURN_IF_ERROR(CheckSame("view", manifest.view_spec_digest(), expected.view_spec_digest));
  RETURN_IF_ERROR(CheckSame("world size", absl::StrCat(manifest.world_size()),
                            absl::StrCat(expected.world_size)));
  std::map<std::string, std::string> teachers;
  for (const auto& teacher : manifest.teachers()) teachers[teacher.role()] = teacher.fingerprint();
  for (const auto& [role, fingerprint] : expected.teachers) {
    RETURN_IF_ERROR(
        CheckSame(absl::StrCat("teacher in the role ", role), teachers[role], fingerprint));
  }
  return absl::OkStatus();
}

absl::StatusOr<Safetensors> ReadPart(FileSystem& files, const std::string& folder,
                                     const v1::CheckpointManifest& manifest, int32_t rank) {
  const std::string path = JoinPath(folder, PartFile(rank));
  for (const v1::FilePart& part : manifest.files()) {
    if (part.rank() != rank) continue;
    ASSIGN_OR_RETURN(std::string bytes, files.Read(path, kMaxPartBytes));
    if (bytes.size() != part.bytes() || Crc32c(bytes) != part.crc32c()) {
      return WithErrorId(
          absl::DataLossError(absl::StrCat(path,
                                           " is damaged: its checksum is not that of the "
                                           "manifest; restore the file")),
          ErrorId::kCheckpointDamaged);
    }
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    return ParseSafetensors(std::as_bytes(std::span<const char>(*owner)), owner, path);
  }
  return absl::DataLossError(absl::StrCat("the manifest has no part for rank ", rank));
}

}  // namespace

std::string CheckpointFolder(const std::string& run_id, int64_t step, uint64_t generation) {
  return absl::StrFormat("%s/checkpoints/step-%06d-g%d", run_id, step, generation);
}

absl::StatusOr<v1::FilePart> WriteCheckpointPart(FileSystem& files, const std::string& run_dir,
                                                 const std::string& folder, int32_t rank,
                                                 const Safetensors& contents) {
  const std::string directory = JoinPath(run_dir, folder);
  ASSIGN_OR_RETURN(const std::string bytes, SerializeSafetensors(contents));
  RETURN_IF_ERROR(files.MakeDirectories(directory));
  v1::FilePart part;
  part.set_name(PartFile(rank));
  part.set_rank(rank);
  part.set_bytes(bytes.size());
  part.set_crc32c(Crc32c(bytes));
  RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(directory, part.name()), bytes));
  return part;
}

absl::StatusOr<v1::CheckpointRef> WriteCheckpointManifest(FileSystem& files,
                                                          const std::string& run_dir,
                                                          v1::CheckpointManifest manifest) {
  manifest.set_format_version(kCheckpointFormatVersion);
  RETURN_IF_ERROR(CheckParts(manifest));
  ASSIGN_OR_RETURN(const std::string text, Print(manifest));
  v1::CheckpointRef ref;
  ref.set_run_id(manifest.run_id());
  ref.set_step(manifest.step());
  ref.set_generation(manifest.generation());
  ref.set_path(CheckpointFolder(manifest.run_id(), manifest.step(), manifest.generation()));
  ref.set_manifest_digest(Sha256Hex(text));
  RETURN_IF_ERROR(
      WriteFileAtomically(files, JoinPath(JoinPath(run_dir, ref.path()), kManifestFile), text));
  return ref;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(FileSystem& files, const std::string& run_dir,
                                          const v1::CheckpointRef& ref,
                                          const CheckpointExpectation& expected, int32_t rank) {
  const std::string folder = JoinPath(run_dir, ref.path());
  Checkpoint checkpoint;
  ASSIGN_OR_RETURN(checkpoint.manifest, ReadManifest(files, JoinPath(folder, kManifestFile), ref));
  RETURN_IF_ERROR(Annotate(CheckExpected(checkpoint.manifest, expected), folder));
  ASSIGN_OR_RETURN(checkpoint.shared, ReadPart(files, folder, checkpoint.manifest, kSharedPart));
  ASSIGN_OR_RETURN(checkpoint.rank, ReadPart(files, folder, checkpoint.manifest, rank));
  return checkpoint;
}

}  // namespace distill
