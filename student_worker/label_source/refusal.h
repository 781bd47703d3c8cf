// What a failure says about who failed.
#ifndef STUDENT_WORKER_LABEL_SOURCE_REFUSAL_H_
#define STUDENT_WORKER_LABEL_SOURCE_REFUSAL_H_

#include "absl/status/status.h"

namespace distill {

// The run itself asks for something impossible: another teacher of the same model would say
// the same.
bool IsFatal(const absl::Status& status);

// The teacher, whose stream ended so, does not fit this run.
bool IsRefusal(const absl::Status& status);

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_REFUSAL_H_
