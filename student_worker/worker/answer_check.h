// Whether a student may train on what a teacher answered: a server that lies, or has no
// checks of its own, must not pass.
#ifndef STUDENT_WORKER_WORKER_ANSWER_CHECK_H_
#define STUDENT_WORKER_WORKER_ANSWER_CHECK_H_

#include <string_view>

#include "absl/status/status.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/validity.h"

namespace distill {

// `labels` float32 [rows, classes], decoded by `codec`, which has refused values that are not
// finite. DATA_LOSS names the row: refuse the teacher. `same_example` is asked only of rows
// whose labels are alike, bit for bit.
//
// Codecs of whole numbers of steps make sound rows constant or alike; theirs are not looked
// at. Of the others more than half of the rows, and eight at least, must be copies: the
// server, which knows the inputs, is stricter.
absl::Status CheckAnswer(const TensorView& labels, std::string_view codec, SameInput same_example);

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_ANSWER_CHECK_H_
