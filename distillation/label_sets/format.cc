#include "distillation/label_sets/format.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/bytes/little_endian.h"
#include "common/digest/crc32c.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr std::string_view kManifestMagic = "DSLBLSET";
constexpr std::string_view kPartMagic = "DSLBPART";
constexpr size_t kDigestBytes = 64;
constexpr size_t kManifestPartBytes = 8 + kDigestBytes;
// Magic, version, part, identity digest, first block, number of blocks.
constexpr size_t kPartFixedBytes = 8 + 4 + 4 + kDigestBytes + 8 + 4;
constexpr size_t kEntryBytes = 8 + 4 + 4 + 4;
constexpr size_t kCrcBytes = 4;

// `bytes` end in the CRC-32C of what is before it.
bool EndsInItsCrc(std::string_view bytes) {
  if (bytes.size() < kCrcBytes) return false;
  const size_t end = bytes.size() - kCrcBytes;
  return ByteReader(bytes.substr(end)).U32() == Crc32c(bytes.substr(0, end));
}

}  // namespace

std::string PartFileName(uint64_t part) { return absl::StrFormat("blocks-%05d.labels", part); }

std::string EncodeManifest(const LabelSetManifest& manifest) {
  ByteWriter bytes;
  bytes.Bytes(kManifestMagic);
  bytes.U32(kLabelSetVersion);
  bytes.Text(EncodeIdentity(manifest.identity));
  bytes.U32(static_cast<uint32_t>(manifest.parts.size()));
  for (const LabelSetManifest::Part& part : manifest.parts) {
    bytes.U64(part.bytes);
    bytes.Bytes(part.sha256);
  }
  bytes.U32(Crc32c(bytes.bytes()));
  return bytes.Take();
}

absl::StatusOr<LabelSetManifest> DecodeManifest(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.Bytes(kManifestMagic.size()) != kManifestMagic) {
    return absl::InvalidArgumentError("not the manifest of a label set");
  }
  const uint32_t version = reader.U32();
  if (reader.ok() && version != kLabelSetVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("a label set of format version ", version, "; this program reads version ",
                     kLabelSetVersion, ": use the program that wrote it, or record the set again"));
  }
  if (!EndsInItsCrc(bytes)) {
    return WithErrorId(absl::DataLossError("the manifest is torn or has changed"),
                       ErrorId::kLabelSetDamaged);
  }
  LabelSetManifest manifest;
  ASSIGN_OR_RETURN(manifest.identity, DecodeIdentity(reader.Text()));
  const uint32_t parts = reader.U32();
  if (parts != manifest.identity.parts() ||
      reader.left() != parts * kManifestPartBytes + kCrcBytes) {
    return absl::DataLossError(absl::StrCat(
        "the manifest lists ", parts, " parts; its own identity has ", manifest.identity.parts()));
  }
  for (uint32_t part = 0; part < parts; ++part) {
    const uint64_t part_bytes = reader.U64();
    manifest.parts.push_back({part_bytes, std::string(reader.Bytes(kDigestBytes))});
  }
  return manifest;
}

absl::StatusOr<std::shared_ptr<const LabelCodec>> FindLabelSetCodec(const std::string& name) {
  ASSIGN_OR_RETURN(std::shared_ptr<const LabelCodec> codec, FindCodec(name));
  if (codec->layout() != LabelLayout::kDense) {
    return absl::UnimplementedError(absl::StrCat("codec ", name,
                                                 " is not dense; label sets hold one of ",
                                                 absl::StrJoin(DenseCodecNames(), ", ")));
  }
  return codec;
}

uint64_t PartHeaderBytes(uint64_t blocks) {
  return kPartFixedBytes + blocks * kEntryBytes + kCrcBytes;
}

absl::StatusOr<std::string> EncodePart(const LabelSetIdentity& identity, uint64_t part,
                                       std::span<const EncodedLabels> blocks) {
  uint64_t total = PartHeaderBytes(blocks.size());
  for (const EncodedLabels& block : blocks) total += block.parameters.size() + block.bytes.size();
  if (total > kMaxLabelSetPartBytes) {
    return absl::OutOfRangeError(absl::StrCat(
        PartFileName(part), " would have ", total, " bytes, at most ", kMaxLabelSetPartBytes,
        " are allowed; record with fewer part_blocks or block_rows"));
  }
  ByteWriter bytes;
  bytes.Bytes(kPartMagic);
  bytes.U32(kLabelSetVersion);
  bytes.U32(static_cast<uint32_t>(part));
  bytes.Bytes(IdentityDigest(identity));
  bytes.U64(part * identity.part_blocks);
  bytes.U32(static_cast<uint32_t>(blocks.size()));
  uint64_t offset = PartHeaderBytes(blocks.size());
  for (const EncodedLabels& block : blocks) {
    bytes.U64(offset);
    bytes.U32(static_cast<uint32_t>(block.parameters.size()));
    bytes.U32(static_cast<uint32_t>(block.bytes.size()));
    bytes.U32(ExtendCrc32c(Crc32c(block.parameters), block.bytes));
    offset += block.parameters.size() + block.bytes.size();
  }
  bytes.U32(Crc32c(bytes.bytes()));
  std::string file = bytes.Take();
  file.reserve(total);
  for (const EncodedLabels& block : blocks) {
    file += block.parameters;
    file += block.bytes;
  }
  return file;
}

absl::StatusOr<PartTable> DecodePartHeader(const LabelSetIdentity& identity,
                                           std::string_view identity_digest, uint64_t part,
                                           std::string_view bytes, uint64_t file_bytes) {
  if (bytes.size() < kPartFixedBytes) {
    return WithErrorId(absl::DataLossError("the header is torn"), ErrorId::kLabelSetDamaged);
  }
  ByteReader reader(bytes);
  const bool is_part = reader.Bytes(kPartMagic.size()) == kPartMagic;
  const uint32_t version = reader.U32();
  const uint32_t number = reader.U32();
  const std::string_view digest = reader.Bytes(kDigestBytes);
  const uint64_t first_block = reader.U64();
  const uint32_t blocks = reader.U32();
  const uint64_t header_bytes = PartHeaderBytes(blocks);
  if (!is_part || header_bytes > bytes.size() || !EndsInItsCrc(bytes.substr(0, header_bytes))) {
    return WithErrorId(absl::DataLossError("the header is torn or has changed"),
                       ErrorId::kLabelSetDamaged);
  }
  if (version != kLabelSetVersion || digest != identity_digest) {
    return WithErrorId(
        absl::FailedPreconditionError("the part is of another label set or format version"),
        ErrorId::kLabelSetOfOthers);
  }
  if (number != part || first_block != part * identity.part_blocks ||
      blocks != identity.BlocksOf(part)) {
    return absl::DataLossError(absl::StrCat("the file is part ", number, " of the set"));
  }
  PartTable table;
  table.entries.reserve(blocks);
  uint64_t end = header_bytes;
  for (uint32_t i = 0; i < blocks; ++i) {
    PartTable::Entry& entry = table.entries.emplace_back();
    entry.offset = reader.U64();
    entry.parameter_bytes = reader.U32();
    entry.payload_bytes = reader.U32();
    entry.crc32c = reader.U32();
    if (entry.offset != end) return absl::DataLossError("the table of blocks has a gap");
    end += entry.bytes();
  }
  if (end != file_bytes) {
    return absl::DataLossError(
        absl::StrCat("the file has ", file_bytes, " bytes, its header says ", end));
  }
  return table;
}

absl::StatusOr<EncodedLabels> DecodeBlock(const PartTable::Entry& entry, std::string_view bytes) {
  if (bytes.size() != entry.bytes() || Crc32c(bytes) != entry.crc32c) {
    return WithErrorId(
        absl::DataLossError("its bytes have changed: their CRC-32C is not the recorded one"),
        ErrorId::kLabelSetDamaged);
  }
  EncodedLabels labels;
  labels.parameters = std::string(bytes.substr(0, entry.parameter_bytes));
  labels.bytes = std::string(bytes.substr(entry.parameter_bytes));
  return labels;
}

absl::Status CheckPart(const LabelSetIdentity& identity, std::string_view identity_digest,
                       uint64_t part, std::string_view bytes) {
  ASSIGN_OR_RETURN(const PartTable table,
                   DecodePartHeader(identity, identity_digest, part, bytes, bytes.size()));
  for (size_t i = 0; i < table.entries.size(); ++i) {
    const PartTable::Entry& entry = table.entries[i];
    const absl::Status status =
        DecodeBlock(entry, bytes.substr(entry.offset, entry.bytes())).status();
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("block ", part * identity.part_blocks + i));
    }
  }
  return absl::OkStatus();
}

}  // namespace distill
