#include "student_worker/worker/answer_check.h"

#include <cstdint>
#include <span>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr int64_t kFewestCopies = 8;

bool IsFloats(std::string_view codec) {
  return codec == "dense_fp32" || codec == "dense_fp16" || codec == "dense_bf16";
}

}  // namespace

absl::Status CheckAnswer(const TensorView& labels, std::string_view codec, SameInput same_example) {
  if (!IsFloats(codec)) return absl::OkStatus();
  const std::span<const float> values = labels.as<float>();
  const int64_t classes = labels.dims[1];
  RETURN_IF_ERROR(CheckVariedRows(values, classes));
  const CopiedRows copied = FindCopiedRows(values, classes, same_example);
  if (copied.copies < kFewestCopies || 2 * copied.copies <= labels.dims[0]) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("label rows are duplicated: ", copied.copies, " of ", labels.dims[0],
                   " are copies of those of other examples, row ", copied.row, " of row ",
                   copied.of, "; check the teacher server"));
}

}  // namespace distill
