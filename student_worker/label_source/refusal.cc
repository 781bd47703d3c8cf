#include "student_worker/label_source/refusal.h"

namespace distill {

bool IsFatal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsUnimplemented(status);
}

bool IsRefusal(const absl::Status& status) {
  return IsFatal(status) || absl::IsFailedPrecondition(status) || absl::IsNotFound(status);
}

}  // namespace distill
