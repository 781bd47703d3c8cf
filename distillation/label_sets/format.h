// The files of a recorded label set as bytes (docs/label_sets.md): no disk. Every length
// is checked against the bytes there are before anything is allocated.
#ifndef DISTILLATION_LABEL_SETS_FORMAT_H_
#define DISTILLATION_LABEL_SETS_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distillation/label_sets/identity.h"
#include "distillation/labels/codec.h"

namespace distill {

inline constexpr uint32_t kLabelSetVersion = 1;
inline constexpr char kLabelSetManifestFile[] = "manifest.labelset";
inline constexpr size_t kMaxLabelSetManifestBytes = size_t{8} << 20;
inline constexpr size_t kMaxLabelSetPartBytes = size_t{1} << 30;

// "blocks-00007.labels".
std::string PartFileName(uint64_t part);

struct LabelSetManifest {
  struct Part {
    uint64_t bytes = 0;
    std::string sha256;  // Hex, of the whole file.
  };
  LabelSetIdentity identity;
  std::vector<Part> parts;
};

std::string EncodeManifest(const LabelSetManifest& manifest);
// INVALID_ARGUMENT: these are not a manifest's bytes. FAILED_PRECONDITION: of another
// version. DATA_LOSS: torn or changed.
absl::StatusOr<LabelSetManifest> DecodeManifest(std::string_view bytes);

// Where the blocks of a part lie in its file.
struct PartTable {
  struct Entry {
    uint64_t offset = 0;
    uint32_t parameter_bytes = 0;
    uint32_t payload_bytes = 0;
    uint32_t crc32c = 0;  // Of parameters and payload.
    uint64_t bytes() const { return uint64_t{parameter_bytes} + payload_bytes; }
  };
  std::vector<Entry> entries;
};

// The codec of a set's labels. UNIMPLEMENTED: an unknown one, or one of sparse labels,
// which sets do not hold.
absl::StatusOr<std::shared_ptr<const LabelCodec>> FindLabelSetCodec(const std::string& name);

// Bytes of a part file before the first block.
uint64_t PartHeaderBytes(uint64_t blocks);

// The file of part `part`, whose blocks are `blocks`, in order. OUT_OF_RANGE when it
// passes kMaxLabelSetPartBytes: choose fewer part_blocks or block_rows.
absl::StatusOr<std::string> EncodePart(const LabelSetIdentity& identity, uint64_t part,
                                       std::span<const EncodedLabels> blocks);

// From the first PartHeaderBytes of a part file of `file_bytes`, or more of it.
// DATA_LOSS: torn, changed, or not a part. FAILED_PRECONDITION: a sound part, but of
// another set.
absl::StatusOr<PartTable> DecodePartHeader(const LabelSetIdentity& identity,
                                           std::string_view identity_digest, uint64_t part,
                                           std::string_view bytes, uint64_t file_bytes);

// The labels of one block, from entry.bytes() bytes. DATA_LOSS when they have changed.
absl::StatusOr<EncodedLabels> DecodeBlock(const PartTable::Entry& entry, std::string_view bytes);

// DATA_LOSS unless `bytes` are a whole and unchanged file of that part; else as above.
absl::Status CheckPart(const LabelSetIdentity& identity, std::string_view identity_digest,
                       uint64_t part, std::string_view bytes);

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_FORMAT_H_
