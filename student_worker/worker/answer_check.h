// Whether a student may train on what a teacher answered: a server that lies, or has no
// checks of its own, must not pass.
#ifndef STUDENT_WORKER_WORKER_ANSWER_CHECK_H_
#define STUDENT_WORKER_WORKER_ANSWER_CHECK_H_

#include <string_view>

#include "absl/status/status.h"
#include "distillation/labels/soft_labels.h"

namespace distill {

// `labels` decoded by `codec`, which has refused values that are not finite. DATA_LOSS names a
// row that is constant: refuse the teacher. Codecs that round to whole steps make sound rows
// constant, draws say nothing of values, and all units of a hidden state may be off; theirs are not
// looked at. Rows that are copies of one another are the server's to find: only it can tell a model
// that gives them by nature.
absl::Status CheckAnswer(const SoftLabels& labels, std::string_view codec);

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_ANSWER_CHECK_H_
