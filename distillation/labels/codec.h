// How soft labels are laid out in bytes between a teacher server and a student.
//
//   dense_fp32  values as they are, bit for bit.
//               payload: float32 [rows, classes].
//   dense_fp16  each value as its distance below the maximum of its row, in a half.
//               payload: float32 [rows] row maxima, then binary16 [rows, classes].
//               Half the bytes; the maxima give raw logits back to losses that need them.
//
// All numbers are little-endian. Neither codec has parameters.
//
// Error of dense_fp16. Let s = max - z be the distance of a value below the maximum of
// its row. For s <= 65504 the decoded distance differs from s by at most
//   max(2^-11 * s, 2^-25);
// larger distances become 65504, where a softmax has no mass at any useful temperature.
// Adding the maximum back in float32 costs another 2^-24 of the result. If d is the
// largest error of a row, then KL(p || p') <= (d / T)^2 / 2 for the softmax of the row at
// temperature T before and after (Hoeffding's lemma).
#ifndef DISTILLATION_LABELS_CODEC_H_
#define DISTILLATION_LABELS_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

struct EncodedLabels {
  std::string bytes;
  // What a decoder has to know besides the shape.
  std::string parameters;
};

// Immutable, stateless, and shared by all threads.
class LabelCodec {
 public:
  virtual ~LabelCodec() = default;

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

// The codec of that name, which lives forever; UNIMPLEMENTED lists the known ones.
absl::StatusOr<const LabelCodec*> FindCodec(std::string_view name);

// Names of all codecs.
std::vector<std::string> CodecNames();

// The first of `preferences` that is `supported`. FAILED_PRECONDITION lists both sides
// when there is none: the student's codecs have to be configured anew.
absl::StatusOr<std::string> Negotiate(std::span<const std::string> preferences,
                                      std::span<const std::string> supported);

}  // namespace distill

#endif  // DISTILLATION_LABELS_CODEC_H_
