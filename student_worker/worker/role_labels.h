// Where the soft labels of one teacher role come from.
#ifndef STUDENT_WORKER_WORKER_ROLE_LABELS_H_
#define STUDENT_WORKER_WORKER_ROLE_LABELS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "distillation/labels/soft_labels.h"
#include "student_worker/accounting/step_record.h"
#include "student_worker/label_source/label_source.h"

namespace distill {

// By output.
using StepLabels = std::map<std::string, SoftLabels>;

// Thread-safe.
class RoleLabels {
 public:
  virtual ~RoleLabels() = default;

  // Waits for the labels of `step`, in the order of its examples; steps are taken in order.
  // After Close its reason, once those that were there are taken. Any other failure is for good:
  // no later step has labels.
  virtual absl::StatusOr<StepLabels> Take(int64_t step) = 0;

  // Waits at most so long for the next Take to have something to return, and says whether it has.
  virtual bool Await(absl::Duration timeout) = 0;

  // For people: whom it waits for, as of the last Await that ended in vain; "" before one has.
  virtual std::string WaitsFor() const = 0;

  // Ends every wait; the first reason counts.
  virtual void Close(const absl::Status& reason) = 0;

  virtual LabelSource::Counters counters() const = 0;

  // Of the answers since the last call.
  virtual AnswerTimes TakeAnswerTimes() = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_ROLE_LABELS_H_
