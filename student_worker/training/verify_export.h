// Before an export counts as done: whether it is read back as it was meant.
#ifndef STUDENT_WORKER_TRAINING_VERIFY_EXPORT_H_
#define STUDENT_WORKER_TRAINING_VERIFY_EXPORT_H_

#include "absl/status/status.h"
#include "distillation/models/export/export.h"
#include "distillation/models/model_directory.h"

namespace distill {

// Loads the model as whoever serves it will, and compares its logits of the recorded examples with
// those recorded. DATA_LOSS: they differ. Else the errors of LoadModel and Model::Forward.
absl::Status VerifyExport(const Export& exported, const ModelDirectory& programs);

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_VERIFY_EXPORT_H_
