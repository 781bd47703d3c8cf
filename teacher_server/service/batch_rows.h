// The rows of a batch: several requests' examples joined, and each request's labels cut
// out again and encoded.
#ifndef TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
#define TEACHER_SERVER_SERVICE_BATCH_ROWS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/interface.h"

namespace distill {

// float32 [sum of rows, dims...] from parts [rows, dims...] of equal dims, at least one;
// crashes otherwise. One part is returned as it is, without a copy.
TensorView JoinRows(std::span<const TensorView> parts);

// Whether a result has what was asked for: a float32 tensor [rows, classes] for each of
// `outputs`. INTERNAL otherwise: the runner is broken.
absl::Status CheckResult(const InferenceResult& result, const std::vector<std::string>& outputs,
                         int64_t rows, int64_t classes);

// Rows [first, first + rows) of a result that CheckResult passed, for the outputs
// `wanted`, which are among `outputs`. DATA_LOSS, with the output's name, where they may
// not be trained on (distillation/labels/validity.h).
absl::StatusOr<LabelAnswer> EncodeRows(const InferenceResult& result,
                                       const std::vector<std::string>& outputs, int64_t first,
                                       int64_t rows, const std::vector<std::string>& wanted,
                                       const LabelCodec& codec);

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
