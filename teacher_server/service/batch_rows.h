// Each request's labels, cut out of the result of a batch and encoded.
#ifndef TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
#define TEACHER_SERVER_SERVICE_BATCH_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/interface.h"

namespace distill {

// Whether a result has what was asked for: a float32 tensor [rows, classes] for each of
// `outputs`. INTERNAL otherwise: the runner is broken.
absl::Status CheckResult(const InferenceResult& result, const std::vector<std::string>& outputs,
                         int64_t rows, int64_t classes);

// Whether the rows of a result that CheckResult passed are answers to their examples, [rows,
// ...], and not copies of one another. DATA_LOSS, with the output's name, otherwise.
absl::Status CheckCopies(const InferenceResult& result, const std::vector<std::string>& outputs,
                         const TensorView& examples);

// Rows [first, first + rows) of a result that CheckResult passed, for the outputs
// `wanted`, which are among `outputs`. DATA_LOSS, with the output's name, where they may
// not be trained on (distillation/labels/validity.h).
absl::StatusOr<LabelAnswer> EncodeRows(const InferenceResult& result,
                                       const std::vector<std::string>& outputs, int64_t first,
                                       int64_t rows, const std::vector<std::string>& wanted,
                                       const LabelCodec& codec);

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
