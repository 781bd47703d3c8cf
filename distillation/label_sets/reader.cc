#include "distillation/label_sets/reader.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kRecordAgain[] =
    "; record the set again into the same directory, sound parts are kept";
constexpr char kNotThisDirectory[] =
    "; put the part of this set back, or record into another directory";

uint64_t BytesOf(const std::vector<float>& values) { return values.size() * sizeof(float); }

// Of a file that the manifest lists: where it is missing or short, the set is damaged. Not where
// the disk fails or a part is another set's: recording again would not mend that.
absl::Status DamagedPart(const std::string& path, const absl::Status& status) {
  const std::optional<ErrorId> id = ErrorIdOf(status);
  if (id == ErrorId::kLabelSetOfOthers) {
    return Reworded(status, status.code(),
                    absl::StrCat(path, ": ", std::string(status.message()), kNotThisDirectory));
  }
  const bool of_the_part =
      !id.has_value() || id == ErrorId::kFileMissing || id == ErrorId::kLabelSetDamaged;
  if (of_the_part && (absl::IsNotFound(status) || absl::IsOutOfRange(status) ||
                      absl::IsDataLoss(status) || absl::IsFailedPrecondition(status))) {
    return WithErrorId(
        absl::DataLossError(absl::StrCat(path, ": ", std::string(status.message()), kRecordAgain)),
        ErrorId::kLabelSetDamaged);
  }
  return Annotate(status, path);
}

}  // namespace

absl::StatusOr<LabelSetManifest> ReadLabelSetManifest(FileSystem& files,
                                                      const std::string& directory) {
  const std::string path = JoinPath(directory, kLabelSetManifestFile);
  const auto bytes = files.Read(path, kMaxLabelSetManifestBytes);
  if (absl::IsNotFound(bytes.status())) {
    return WithErrorId(absl::NotFoundError(absl::StrCat(
                           "no label set in ", directory, ": it has no ", kLabelSetManifestFile,
                           "; it was not recorded, or not to its end (recording again goes on)")),
                       ErrorId::kNoLabelSet);
  }
  RETURN_IF_ERROR(bytes.status());
  auto manifest = DecodeManifest(*bytes);
  if (absl::IsDataLoss(manifest.status())) return DamagedPart(path, manifest.status());
  if (!manifest.ok()) return Annotate(manifest.status(), path);
  return manifest;
}

absl::StatusOr<std::unique_ptr<LabelSetReader>> LabelSetReader::Open(
    FileSystem* files, const std::string& directory, const LabelSetIdentity& asked,
    const LabelSetReaderOptions& options) {
  ASSIGN_OR_RETURN(LabelSetManifest manifest, ReadLabelSetManifest(*files, directory));
  if (const absl::Status held = CheckHeld(asked, manifest.identity); !held.ok()) {
    return Annotate(held, absl::StrCat("label set ", directory));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const LabelCodec> codec,
                   FindLabelSetCodec(manifest.identity.codec));
  std::unique_ptr<LabelSetReader> reader(
      new LabelSetReader(files, directory, std::move(manifest), std::move(codec), options));
  RETURN_IF_ERROR(reader->ReadTables());
  return reader;
}

LabelSetReader::LabelSetReader(FileSystem* files, std::string directory, LabelSetManifest manifest,
                               std::shared_ptr<const LabelCodec> codec,
                               const LabelSetReaderOptions& options)
    : files_(files),
      directory_(std::move(directory)),
      manifest_(std::move(manifest)),
      identity_(manifest_.identity),
      codec_(std::move(codec)),
      options_(options),
      all_fit_(identity_.rows() <= options.cache_bytes / sizeof(float) / identity_.classes) {}

std::string LabelSetReader::PathOf(uint64_t part) const {
  return JoinPath(directory_, PartFileName(part));
}

absl::Status LabelSetReader::ReadTables() {
  const std::string digest = IdentityDigest(identity_);
  for (uint64_t part = 0; part < identity_.parts(); ++part) {
    const std::string path = PathOf(part);
    const auto size = files_->Size(path);
    if (!size.ok()) return DamagedPart(path, size.status());
    if (*size != manifest_.parts[part].bytes) {
      return DamagedPart(path,
                         absl::DataLossError(absl::StrCat("it has ", *size, " bytes instead of ",
                                                          manifest_.parts[part].bytes)));
    }
    const auto header = files_->ReadRange(path, 0, PartHeaderBytes(identity_.BlocksOf(part)));
    if (!header.ok()) return DamagedPart(path, header.status());
    auto table = DecodePartHeader(identity_, digest, part, *header, *size);
    if (!table.ok()) return DamagedPart(path, table.status());
    if (const absl::Status fit = CheckLengths(part, *table); !fit.ok()) {
      return DamagedPart(path, fit);
    }
    tables_.push_back(*std::move(table));
  }
  return absl::OkStatus();
}

// So that a block never takes more memory than its bytes in the file are good for.
absl::Status LabelSetReader::CheckLengths(uint64_t part, const PartTable& table) const {
  for (size_t i = 0; i < table.entries.size(); ++i) {
    const uint64_t block = part * identity_.part_blocks + i;
    ASSIGN_OR_RETURN(const uint64_t bytes,
                     codec_->EncodedBytes(static_cast<int64_t>(identity_.RowsOf(block)),
                                          static_cast<int64_t>(identity_.classes)));
    if (table.entries[i].payload_bytes == bytes) continue;
    return absl::DataLossError(absl::StrCat("block ", block, " has ",
                                            table.entries[i].payload_bytes, " bytes of labels, ",
                                            "its rows take ", bytes));
  }
  return absl::OkStatus();
}

absl::Status LabelSetReader::Read(std::span<const uint64_t> rows, std::span<float> out) {
  const uint64_t classes = identity_.classes;
  if (out.size() != rows.size() * classes) {
    return absl::InvalidArgumentError(absl::StrCat("label set ", directory_, ": room for ",
                                                   out.size(), " values, ", rows.size(),
                                                   " rows have ", rows.size() * classes));
  }
  // Neighbours in one block are looked up once.
  Values values;
  uint64_t held = UINT64_MAX;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] >= identity_.rows()) {
      return absl::OutOfRangeError(
          absl::StrCat("label set ", directory_, ": row ", rows[i], " of ", identity_.rows()));
    }
    const uint64_t block = rows[i] / identity_.block_rows;
    if (block != held) {
      ASSIGN_OR_RETURN(values, Block(block));
      held = block;
    }
    const auto first = values->begin() + (rows[i] % identity_.block_rows) * classes;
    std::copy(first, first + classes, out.begin() + i * classes);
  }
  return absl::OkStatus();
}

absl::StatusOr<LabelSetReader::Values> LabelSetReader::Block(uint64_t block) {
  {
    absl::MutexLock lock(&mu_);
    const auto it = held_.find(block);
    if (it != held_.end()) {
      // Moving it touches three nodes somewhere in memory: not where nothing will ever leave.
      if (!all_fit_) recent_.splice(recent_.begin(), recent_, it->second);
      return it->second->second;
    }
  }
  ASSIGN_OR_RETURN(Values values, Load(block));
  Keep(block, values);
  return values;
}

absl::StatusOr<LabelSetReader::Values> LabelSetReader::Load(uint64_t block) const {
  const uint64_t part = block / identity_.part_blocks;
  const PartTable::Entry& entry = tables_[part].entries[block % identity_.part_blocks];
  const std::string path = PathOf(part);
  const std::string where = absl::StrCat(path, ": block ", block);
  const auto bytes = files_->ReadRange(path, entry.offset, entry.bytes());
  if (!bytes.ok()) return DamagedPart(where, bytes.status());
  const auto labels = DecodeBlock(entry, *bytes);
  if (!labels.ok()) return DamagedPart(where, labels.status());
  const uint64_t rows = identity_.RowsOf(block);
  auto values = std::make_shared<std::vector<float>>(rows * identity_.classes);
  const absl::Status decoded = codec_->Decode(
      static_cast<int64_t>(rows), static_cast<int64_t>(identity_.classes), labels->parameters,
      std::as_bytes(std::span<const char>(labels->bytes)), *values);
  if (!decoded.ok()) return DamagedPart(where, decoded);
  return values;
}

void LabelSetReader::Keep(uint64_t block, Values values) {
  absl::MutexLock lock(&mu_);
  // Another thread may have read it meanwhile.
  if (held_.contains(block)) return;
  cached_bytes_ += BytesOf(*values);
  recent_.emplace_front(block, std::move(values));
  held_[block] = recent_.begin();
  while (cached_bytes_ > options_.cache_bytes && recent_.size() > 1) {
    cached_bytes_ -= BytesOf(*recent_.back().second);
    held_.erase(recent_.back().first);
    recent_.pop_back();
  }
}

absl::Status LabelSetReader::Verify() {
  const std::string digest = IdentityDigest(identity_);
  for (uint64_t part = 0; part < identity_.parts(); ++part) {
    const std::string path = PathOf(part);
    const auto bytes = files_->Read(path, kMaxLabelSetPartBytes);
    if (!bytes.ok()) return DamagedPart(path, bytes.status());
    const absl::Status sound = CheckPart(identity_, digest, part, *bytes);
    if (!sound.ok()) return DamagedPart(path, sound);
    if (Sha256Hex(*bytes) != manifest_.parts[part].sha256) {
      return DamagedPart(path, absl::DataLossError("it is not the file of the manifest"));
    }
  }
  return absl::OkStatus();
}

uint64_t LabelSetReader::cached_bytes() const {
  absl::MutexLock lock(&mu_);
  return cached_bytes_;
}

}  // namespace distill
