// What the labels of a recorded set are labels of. Format: docs/label_sets.md.
#ifndef DISTILLATION_LABEL_SETS_IDENTITY_H_
#define DISTILLATION_LABEL_SETS_IDENTITY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace distill {

// All that decides the bytes of a set, and nothing else: whoever fills one with the same
// identity, in any order and however often interrupted, gets the same files.
//
// A row is one example in one view: row = view * examples + example. Rows lie in blocks of
// `block_rows` (the last one may be shorter), blocks in parts of `part_blocks`. A block is
// one request to a teacher, and with an exact stream one inference batch.
struct LabelSetIdentity {
  std::string fingerprint;
  std::string output;
  // Of the teacher that computed the labels.
  std::string numerics_class;
  std::string data_set_digest;
  v1::Split split = v1::SPLIT_UNSPECIFIED;
  std::string view_spec_digest;
  // Views of each example that are held: view v of them has the seed ViewSeedOf(view_seed,
  // v, example) of distillation/order, where view_seed is the seed of the run. 0: the
  // un-augmented view alone, and view_seed is 0 too.
  uint32_t views = 0;
  uint64_t view_seed = 0;
  std::string codec;
  uint64_t classes = 0;
  uint64_t examples = 0;
  uint32_t block_rows = 64;
  uint32_t part_blocks = 64;

  uint64_t rows() const { return examples * (views == 0 ? 1 : views); }
  uint64_t blocks() const { return (rows() + block_rows - 1) / block_rows; }
  uint64_t parts() const { return (blocks() + part_blocks - 1) / part_blocks; }
  // Rows of a block; blocks of a part.
  uint64_t RowsOf(uint64_t block) const;
  uint64_t BlocksOf(uint64_t part) const;

  friend bool operator==(const LabelSetIdentity&, const LabelSetIdentity&) = default;
};

// INVALID_ARGUMENT names what is missing or beyond the format's bounds: 2^40 rows,
// 2^31 - 1 classes, 2^20 rows a block, 2^16 blocks a part, 100,000 parts.
absl::Status CheckIdentity(const LabelSetIdentity& identity);

// Its bytes in the manifest, and back (DATA_LOSS when they are not an identity).
std::string EncodeIdentity(const LabelSetIdentity& identity);
absl::StatusOr<LabelSetIdentity> DecodeIdentity(std::string_view bytes);
// SHA-256 (hex) of these bytes.
std::string IdentityDigest(const LabelSetIdentity& identity);

// OK when a set that holds `held` can stand for `asked`; an empty numerics_class or codec
// and a zero block_rows or part_blocks of `asked` accept any. Otherwise
// FAILED_PRECONDITION with the first field that differs, both values, and what to do.
absl::Status CheckHeld(const LabelSetIdentity& asked, const LabelSetIdentity& held);

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_IDENTITY_H_
