// What every codec of soft labels is; codec.h finds one by name. Dense codecs carry a value
// for each class, sparse ones name a few classes (sparse_labels.h), hidden ones carry what the
// teacher's last layer makes logits of (label_head.h).
#ifndef DISTILLATION_LABELS_LABEL_CODEC_H_
#define DISTILLATION_LABELS_LABEL_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/sparse_labels.h"

namespace distill {

struct EncodedLabels {
  std::string bytes;
  // What a decoder has to know besides the codec's name and the shape.
  std::string parameters;
};

// Of kHidden, what follows says of labels and classes holds for hidden states and features.
enum class LabelLayout { kDense, kSparse, kHidden };

// What some codecs have to know of the rows beside their logits. Borrowed for the call.
struct RowContext {
  // scores_at_ids, both ways: [rows, n], the classes whose scores are wanted, rising in
  // each row.
  std::span<const int64_t> ids;
  // sampled, encoding: [rows], a number of each row; its draws are a function of that and
  // the codec's seed. Take what makes the row what it is: example and view.
  std::span<const uint64_t> keys;
};

// Immutable, stateless, and shared by all threads.
class LabelCodec {
 public:
  virtual ~LabelCodec() = default;

  // The name that FindCodec (codec.h) found it by.
  virtual std::string_view name() const = 0;

  // kDense and kHidden: Decode; kSparse: DecodeSparse. The other one returns UNIMPLEMENTED.
  virtual LabelLayout layout() const = 0;

  // Bytes of a payload. INVALID_ARGUMENT for rows < 0, for classes < 1 and where the codec
  // cannot have so few; OUT_OF_RANGE when the payload or the decoded values would exceed
  // 2^63 - 1 bytes, or there are more classes than the codec can name.
  virtual absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const = 0;

  // `labels` is float32 [rows, classes] in host memory and `context` has what the codec
  // needs, or INVALID_ARGUMENT; also where EncodedBytes is. DATA_LOSS names a row that is
  // not finite: the teacher is broken, send its error instead.
  virtual absl::StatusOr<EncodedLabels> Encode(const TensorView& labels,
                                               const RowContext& context) const = 0;

  // Whether Encode only checks (CheckLabelsToEncode) and copies: whoever can send the labels'
  // own bytes need not call it. There are no parameters then.
  virtual bool payload_is_the_labels() const { return false; }

  // Of a codec that needs no context.
  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels) const {
    return Encode(labels, RowContext());
  }

  // Writes all rows * classes elements of `values`. DATA_LOSS when sizes, parameters or
  // values cannot come from Encode (then `values` is unspecified): ask another teacher.
  virtual absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                              std::span<const std::byte> bytes, std::span<float> values) const;

  // Where a payload is the values themselves and `bytes` lie as floats must: those, checked as
  // Decode checks them, with its errors. Null of other codecs and bytes: Decode them.
  virtual absl::StatusOr<const float*> DecodeInPlace(int64_t rows, int64_t classes,
                                                     std::string_view parameters,
                                                     std::span<const std::byte> bytes) const;

  // Of any number of rows that the bytes have; takes memory in proportion to them. DATA_LOSS
  // as above; INVALID_ARGUMENT where `context` is not what the codec needs.
  virtual absl::StatusOr<SparseLabels> DecodeSparse(int64_t rows, int64_t classes,
                                                    std::string_view parameters,
                                                    std::span<const std::byte> bytes,
                                                    const RowContext& context) const;
};

// For codecs. The elements of [rows, classes]; errors as of EncodedBytes.
absl::StatusOr<int64_t> CheckedLabelShape(int64_t rows, int64_t classes);

// For codecs: what Encode asks of its input.
absl::Status CheckLabelsToEncode(const TensorView& labels);

// For codecs: DATA_LOSS unless [rows, classes] takes so many bytes and the codec so many
// bytes of parameters.
absl::Status CheckEncodedSizes(const LabelCodec& codec, int64_t rows, int64_t classes,
                               std::string_view parameters, size_t wanted_parameters,
                               std::span<const std::byte> bytes);

}  // namespace distill

#endif  // DISTILLATION_LABELS_LABEL_CODEC_H_
