#include "student_worker/worker/answer_check.h"

#include "distillation/labels/validity.h"

namespace distill {
namespace {

bool IsFloats(std::string_view codec) {
  return codec == "dense_fp32" || codec == "dense_fp16" || codec == "dense_bf16";
}

}  // namespace

absl::Status CheckAnswer(const TensorView& labels, std::string_view codec) {
  if (!IsFloats(codec)) return absl::OkStatus();
  return CheckVariedRows(labels.as<float>(), labels.dims[1]);
}

}  // namespace distill
