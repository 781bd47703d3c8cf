// Each request's labels, cut out of the result of a batch and encoded.
#ifndef TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
#define TEACHER_SERVER_SERVICE_BATCH_ROWS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_codec.h"
#include "proto/teacher.pb.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/interface.h"

namespace distill {

// The output of the runner that `codec` encodes where a student asks for `output`.
const std::string& ComputedOutput(const LabelCodec& codec, const std::string& output);

// Whether a result has what was asked for: a float32 tensor [rows, classes] for each of
// `outputs`, of hidden states [rows, features]. INTERNAL otherwise: the runner is broken.
absl::Status CheckResult(const InferenceResult& result, const std::vector<std::string>& outputs,
                         int64_t rows, int64_t classes, int64_t features = 0);

// Whether the rows of a result that CheckResult passed are answers to their examples, [rows,
// ...], and not copies of one another. DATA_LOSS, with the output's name, otherwise.
absl::Status CheckCopies(const InferenceResult& result, const std::vector<std::string>& outputs,
                         const TensorView& examples);

// A key for each row of an ask by id, for codecs that draw (RowContext): a function of example
// and view. None for a codec that is not sparse, which draws nothing.
std::vector<uint64_t> RowKeys(const LabelCodec& codec, const v1::ExampleRefs& refs);

// Rows [first, first + rows) of a result that CheckResult passed, for the outputs
// `wanted`, whose ComputedOutput are among `outputs`. `keys` are theirs, or none. DATA_LOSS, with
// the output's name, where they may not be trained on (distillation/labels/validity.h).
absl::StatusOr<LabelAnswer> EncodeRows(const InferenceResult& result,
                                       const std::vector<std::string>& outputs, int64_t first,
                                       int64_t rows, const std::vector<std::string>& wanted,
                                       const LabelCodec& codec, std::span<const uint64_t> keys);

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_BATCH_ROWS_H_
