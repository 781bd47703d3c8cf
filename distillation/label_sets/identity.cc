#include "distillation/label_sets/identity.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/bytes/little_endian.h"
#include "common/digest/sha256.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr uint64_t kMaxRows = uint64_t{1} << 40;
constexpr uint64_t kMaxClasses = (uint64_t{1} << 31) - 1;
constexpr uint32_t kMaxBlockRows = 1u << 20;
constexpr uint32_t kMaxPartBlocks = 1u << 16;
constexpr uint64_t kMaxParts = 100'000;
constexpr size_t kMaxText = 4096;

absl::Status CheckText(std::string_view name, const std::string& text, bool needed) {
  if (needed && text.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a label set needs its ", std::string(name), "; it is empty"));
  }
  if (text.size() <= kMaxText) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the ", std::string(name), " of a label set has ",
                                                 text.size(), " bytes; at most ", kMaxText));
}

absl::Status CheckNumber(std::string_view name, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(std::string(name), " of a label set is ", value,
                                                 ", not from ", min, " to ", max));
}

absl::Status CheckField(const char* name, const std::string& asked, const std::string& held,
                        const char* advice) {
  if (asked == held) return absl::OkStatus();
  return WithErrorId(
      absl::FailedPreconditionError(absl::StrCat("the set's ", name, " is '", held, "', but '",
                                                 asked, "' is asked for; ", advice)),
      ErrorId::kLabelSetOfOthers);
}

}  // namespace

uint64_t LabelSetIdentity::RowsOf(uint64_t block) const {
  return std::min<uint64_t>(block_rows, rows() - block * block_rows);
}

uint64_t LabelSetIdentity::BlocksOf(uint64_t part) const {
  return std::min<uint64_t>(part_blocks, blocks() - part * part_blocks);
}

absl::Status CheckIdentity(const LabelSetIdentity& identity) {
  RETURN_IF_ERROR(CheckText("fingerprint", identity.fingerprint, true));
  RETURN_IF_ERROR(CheckText("output", identity.output, true));
  RETURN_IF_ERROR(CheckText("numerics class", identity.numerics_class, false));
  RETURN_IF_ERROR(CheckText("data set digest", identity.data_set_digest, true));
  RETURN_IF_ERROR(CheckText("view spec digest", identity.view_spec_digest, true));
  RETURN_IF_ERROR(CheckText("codec", identity.codec, true));
  if (identity.split == v1::SPLIT_UNSPECIFIED) {
    return absl::InvalidArgumentError("a label set needs its split; it is unspecified");
  }
  if (identity.views == 0 && identity.view_seed != 0) {
    return absl::InvalidArgumentError("a label set of un-augmented views has no view seed");
  }
  RETURN_IF_ERROR(CheckNumber("classes", identity.classes, 1, kMaxClasses));
  RETURN_IF_ERROR(CheckNumber("examples", identity.examples, 1,
                              kMaxRows / std::max<uint32_t>(1, identity.views)));
  RETURN_IF_ERROR(CheckNumber("block_rows", identity.block_rows, 1, kMaxBlockRows));
  RETURN_IF_ERROR(CheckNumber("part_blocks", identity.part_blocks, 1, kMaxPartBlocks));
  return CheckNumber("the number of parts", identity.parts(), 1, kMaxParts);
}

std::string EncodeIdentity(const LabelSetIdentity& identity) {
  ByteWriter bytes;
  bytes.Text(identity.fingerprint);
  bytes.Text(identity.output);
  bytes.Text(identity.numerics_class);
  bytes.Text(identity.data_set_digest);
  bytes.U32(static_cast<uint32_t>(identity.split));
  bytes.Text(identity.view_spec_digest);
  bytes.U32(identity.views);
  bytes.U64(identity.view_seed);
  bytes.Text(identity.codec);
  bytes.U64(identity.classes);
  bytes.U64(identity.examples);
  bytes.U32(identity.block_rows);
  bytes.U32(identity.part_blocks);
  return bytes.Take();
}

absl::StatusOr<LabelSetIdentity> DecodeIdentity(std::string_view bytes) {
  ByteReader reader(bytes);
  LabelSetIdentity identity;
  identity.fingerprint = reader.Text();
  identity.output = reader.Text();
  identity.numerics_class = reader.Text();
  identity.data_set_digest = reader.Text();
  identity.split = static_cast<v1::Split>(reader.U32());
  identity.view_spec_digest = reader.Text();
  identity.views = reader.U32();
  identity.view_seed = reader.U64();
  identity.codec = reader.Text();
  identity.classes = reader.U64();
  identity.examples = reader.U64();
  identity.block_rows = reader.U32();
  identity.part_blocks = reader.U32();
  if (!reader.ok() || reader.left() != 0) {
    return absl::DataLossError("these bytes are not the identity of a label set");
  }
  if (const absl::Status valid = CheckIdentity(identity); !valid.ok()) {
    return absl::DataLossError(valid.message());
  }
  return identity;
}

std::string IdentityDigest(const LabelSetIdentity& identity) {
  return Sha256Hex(EncodeIdentity(identity));
}

absl::Status CheckHeld(const LabelSetIdentity& asked, const LabelSetIdentity& held) {
  constexpr char kRecord[] = "record a set for this run, or give it the set's own";
  constexpr char kSet[] = "record another set, or ask for what this one holds";
  const auto number = [](uint64_t value) { return absl::StrCat(value); };
  RETURN_IF_ERROR(CheckField("teacher fingerprint", asked.fingerprint, held.fingerprint, kRecord));
  RETURN_IF_ERROR(CheckField("output", asked.output, held.output, kSet));
  if (!asked.numerics_class.empty()) {
    RETURN_IF_ERROR(CheckField("numerics class", asked.numerics_class, held.numerics_class,
                               "an exact run takes one numerics class only: record a set there"));
  }
  RETURN_IF_ERROR(
      CheckField("data set digest", asked.data_set_digest, held.data_set_digest, kRecord));
  RETURN_IF_ERROR(
      CheckField("split", v1::Split_Name(asked.split), v1::Split_Name(held.split), kSet));
  RETURN_IF_ERROR(
      CheckField("view spec digest", asked.view_spec_digest, held.view_spec_digest, kRecord));
  RETURN_IF_ERROR(CheckField("views per example", number(asked.views), number(held.views), kSet));
  RETURN_IF_ERROR(CheckField("view seed", number(asked.view_seed), number(held.view_seed),
                             "train with the seed it was recorded for, or record another set"));
  if (!asked.codec.empty()) RETURN_IF_ERROR(CheckField("codec", asked.codec, held.codec, kSet));
  RETURN_IF_ERROR(
      CheckField("number of classes", number(asked.classes), number(held.classes), kRecord));
  RETURN_IF_ERROR(
      CheckField("number of examples", number(asked.examples), number(held.examples), kRecord));
  if (asked.block_rows != 0) {
    RETURN_IF_ERROR(
        CheckField("block_rows", number(asked.block_rows), number(held.block_rows), kSet));
  }
  if (asked.part_blocks == 0) return absl::OkStatus();
  return CheckField("part_blocks", number(asked.part_blocks), number(held.part_blocks), kSet);
}

}  // namespace distill
