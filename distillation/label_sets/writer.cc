#include "distillation/label_sets/writer.h"

#include <span>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

uint64_t BytesOf(const EncodedLabels& labels) {
  return labels.bytes.size() + labels.parameters.size();
}

// Whether a set has a file of that name, or first writes one to it.
bool IsOfSet(const std::string& written) {
  const std::string name(absl::StripSuffix(written, ".tmp"));
  if (name == kLabelSetManifestFile) return true;
  std::string digits = name;
  std::erase_if(digits, [](char c) { return !absl::ascii_isdigit(c); });
  uint64_t part = 0;
  return absl::SimpleAtoi(digits, &part) && name == PartFileName(part);
}

// What file systems and desktops put into any folder.
bool IsOfSystem(const std::string& name) { return name[0] == '.' || name == "lost+found"; }

}  // namespace

absl::Status CheckFolderOfSet(FileSystem& files, const std::string& directory) {
  const auto names = files.List(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  RETURN_IF_ERROR(names.status());
  if (std::ranges::any_of(*names, IsOfSet)) return absl::OkStatus();
  const auto other = std::ranges::find_if_not(*names, IsOfSystem);
  if (other == names->end()) return absl::OkStatus();
  return WithErrorId(
      absl::FailedPreconditionError(absl::StrCat("it holds no label set but '", *other,
                                                 "'; record into a folder that is new or empty")),
      ErrorId::kNotALabelSetFolder);
}

absl::StatusOr<std::unique_ptr<LabelSetWriter>> LabelSetWriter::Open(
    FileSystem* files, const std::string& directory, const LabelSetIdentity& identity,
    const LabelSetWriterOptions& options) {
  RETURN_IF_ERROR(CheckIdentity(identity));
  ASSIGN_OR_RETURN(std::shared_ptr<const LabelCodec> codec, FindLabelSetCodec(identity.codec));
  std::unique_ptr<LabelSetWriter> writer(
      new LabelSetWriter(files, directory, identity, std::move(codec), options));
  if (const absl::Status status = writer->TakeStock(); !status.ok()) {
    return Annotate(status, absl::StrCat("label set ", directory));
  }
  return writer;
}

LabelSetWriter::LabelSetWriter(FileSystem* files, std::string directory,
                               const LabelSetIdentity& identity,
                               std::shared_ptr<const LabelCodec> codec,
                               const LabelSetWriterOptions& options)
    : files_(files),
      directory_(std::move(directory)),
      identity_(identity),
      digest_(IdentityDigest(identity)),
      codec_(std::move(codec)),
      options_(options),
      parts_(identity.parts()) {}

absl::Status LabelSetWriter::TakeStock() {
  RETURN_IF_ERROR(CheckFolderOfSet(*files_, directory_));
  RETURN_IF_ERROR(files_->MakeDirectories(directory_));
  const std::string path = JoinPath(directory_, kLabelSetManifestFile);
  const auto bytes = files_->Read(path, kMaxLabelSetManifestBytes);
  if (!bytes.ok() && !absl::IsNotFound(bytes.status())) return bytes.status();
  if (bytes.ok()) {
    const auto manifest = DecodeManifest(*bytes);
    // A damaged one is written anew; what it said of the parts they say themselves.
    if (!manifest.ok() && !absl::IsDataLoss(manifest.status())) {
      return Annotate(manifest.status(), kLabelSetManifestFile);
    }
    if (manifest.ok() && manifest->identity != identity_) {
      RETURN_IF_ERROR(CheckHeld(identity_, manifest->identity));
      return WithErrorId(
          absl::FailedPreconditionError("it holds another set; record into another directory"),
          ErrorId::kLabelSetOfOthers);
    }
  }
  for (uint64_t part = 0; part < identity_.parts(); ++part) {
    const std::string name = PartFileName(part);
    const absl::Status status = KeepIfSound(part, JoinPath(directory_, name));
    if (!status.ok()) return Annotate(status, name);
  }
  // Nobody is to find a set whose parts are being replaced.
  if (bytes.ok() && !MissingBlocks().empty()) {
    RETURN_IF_ERROR(files_->RemoveTree(path));
    RETURN_IF_ERROR(files_->Sync(directory_));
  }
  return absl::OkStatus();
}

absl::Status LabelSetWriter::KeepIfSound(uint64_t part, const std::string& path) {
  const auto bytes = files_->Read(path, kMaxLabelSetPartBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  RETURN_IF_ERROR(bytes.status());
  const absl::Status sound = CheckPart(identity_, digest_, part, *bytes);
  if (absl::IsDataLoss(sound)) return absl::OkStatus();
  if (absl::IsFailedPrecondition(sound)) {
    return Reworded(sound, sound.code(),
                    absl::StrCat(std::string(sound.message()),
                                 "; record into another directory, or remove this one"));
  }
  RETURN_IF_ERROR(sound);
  absl::MutexLock lock(&mu_);
  parts_[part].written = true;
  parts_[part].recorded = {bytes->size(), Sha256Hex(*bytes)};
  return absl::OkStatus();
}

std::vector<uint64_t> LabelSetWriter::MissingBlocks() const {
  std::vector<uint64_t> missing;
  absl::MutexLock lock(&mu_);
  for (uint64_t part = 0; part < parts_.size(); ++part) {
    if (parts_[part].written || parts_[part].writing) continue;
    const uint64_t first = part * identity_.part_blocks;
    for (uint64_t block = first; block < first + identity_.BlocksOf(part); ++block) {
      if (!parts_[part].pending.contains(block)) missing.push_back(block);
    }
  }
  return missing;
}

absl::Status LabelSetWriter::Add(uint64_t block, EncodedLabels labels) {
  if (block >= identity_.blocks()) {
    return absl::OutOfRangeError(
        absl::StrCat("block ", block, " of a label set with ", identity_.blocks(), " blocks"));
  }
  RETURN_IF_ERROR(CheckLabels(block, labels));
  const uint64_t number = block / identity_.part_blocks;
  const uint64_t bytes = BytesOf(labels);
  std::map<uint64_t, EncodedLabels> complete;
  {
    absl::MutexLock lock(&mu_);
    Part& part = parts_[number];
    if (part.written || part.writing || part.pending.contains(block)) return absl::OkStatus();
    const uint64_t of_others = pending_bytes_ - part.pending_bytes;
    if (of_others > 0 && pending_bytes_ + bytes > options_.max_pending_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "label set ", directory_, ": ", pending_bytes_, " bytes wait for the rest of their ",
          "parts; add the missing blocks of the parts begun before block ", block));
    }
    part.pending.emplace(block, std::move(labels));
    part.pending_bytes += bytes;
    pending_bytes_ += bytes;
    if (part.pending.size() < identity_.BlocksOf(number)) return absl::OkStatus();
    complete = std::exchange(part.pending, {});
    part.writing = true;
  }
  return WritePart(number, std::move(complete));
}

absl::Status LabelSetWriter::CheckLabels(uint64_t block, const EncodedLabels& labels) const {
  const uint64_t rows = identity_.RowsOf(block);
  std::vector<float> values(rows * identity_.classes);
  absl::Status status =
      codec_->Decode(static_cast<int64_t>(rows), static_cast<int64_t>(identity_.classes),
                     labels.parameters, std::as_bytes(std::span<const char>(labels.bytes)), values);
  if (status.ok()) status = CheckTeacherLogits(values, static_cast<int64_t>(identity_.classes));
  if (status.ok()) return status;
  return Annotate(status, absl::StrCat("label set ", directory_, ": block ", block));
}

absl::Status LabelSetWriter::WritePart(uint64_t number, std::map<uint64_t, EncodedLabels> blocks) {
  std::vector<EncodedLabels> in_order;
  in_order.reserve(blocks.size());
  for (auto& [block, labels] : blocks) in_order.push_back(std::move(labels));
  const auto bytes = EncodePart(identity_, number, in_order);
  absl::Status status = bytes.status();
  const std::string path = JoinPath(directory_, PartFileName(number));
  if (status.ok()) status = WriteFileAtomically(*files_, path, *bytes);
  // Not to be taken for labels that are damaged: the blocks of the whole part are gone.
  if (absl::IsDataLoss(status)) {
    status = Reworded(status, absl::StatusCode::kInternal, std::string(status.message()));
  }
  LabelSetManifest::Part recorded;
  if (status.ok()) recorded = {bytes->size(), Sha256Hex(*bytes)};
  absl::MutexLock lock(&mu_);
  Part& part = parts_[number];
  pending_bytes_ -= std::exchange(part.pending_bytes, 0);
  part.writing = false;
  if (!status.ok()) return Annotate(status, absl::StrCat("label set ", directory_));
  part.written = true;
  part.recorded = std::move(recorded);
  return absl::OkStatus();
}

absl::Status LabelSetWriter::Finish() {
  LabelSetManifest manifest;
  manifest.identity = identity_;
  {
    absl::MutexLock lock(&mu_);
    for (uint64_t part = 0; part < parts_.size(); ++part) {
      if (!parts_[part].written) {
        return absl::FailedPreconditionError(
            absl::StrCat("label set ", directory_, ": ", PartFileName(part),
                         " is not written yet; add its missing blocks first"));
      }
      manifest.parts.push_back(parts_[part].recorded);
    }
  }
  const std::string path = JoinPath(directory_, kLabelSetManifestFile);
  return WriteFileAtomically(*files_, path, EncodeManifest(manifest));
}

}  // namespace distill
