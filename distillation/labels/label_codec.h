// What every codec of soft labels is; codec.h finds one by name.
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

namespace distill {

struct EncodedLabels {
  std::string bytes;
  // What a decoder has to know besides the codec's name and the shape.
  std::string parameters;
};

// Immutable, stateless, and shared by all threads.
class LabelCodec {
 public:
  virtual ~LabelCodec() = default;

  // The name that FindCodec (codec.h) found it by.
  virtual std::string_view name() const = 0;

  // Bytes of a payload. INVALID_ARGUMENT for rows < 0 or classes < 1, OUT_OF_RANGE when
  // the payload or the decoded values would exceed 2^63 - 1 bytes.
  virtual absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const = 0;

  // `labels` is float32 [rows, classes] in host memory, or INVALID_ARGUMENT. DATA_LOSS
  // names a row that is not finite: the teacher is broken, send its error instead.
  virtual absl::StatusOr<EncodedLabels> Encode(const TensorView& labels) const = 0;

  // Writes all rows * classes elements of `values`. DATA_LOSS when sizes, parameters or
  // values cannot come from Encode (then `values` is unspecified): ask another teacher.
  virtual absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                              std::span<const std::byte> bytes, std::span<float> values) const = 0;
};

// For codecs. The elements of [rows, classes]; errors as of EncodedBytes.
absl::StatusOr<int64_t> CheckedLabelShape(int64_t rows, int64_t classes);

// For codecs: what Encode asks of its input.
absl::Status CheckLabelsToEncode(const TensorView& labels);

}  // namespace distill

#endif  // DISTILLATION_LABELS_LABEL_CODEC_H_
