// Examples with recorded answers that a teacher is asked beside its students' examples, so
// that one that answers wrongly is found out.
#ifndef TEACHER_SERVER_CANARY_CANARY_H_
#define TEACHER_SERVER_CANARY_CANARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

// What a model answered when it was exported.
struct CanaryRecord {
  std::string fingerprint;
  // Of the model.
  std::string output;
  // How people call the examples.
  std::vector<int64_t> ids;
  // float32 [ids, example dims...], preprocessed, and float32 [ids, classes], finite.
  TensorView examples;
  TensorView logits;

  // INVALID_ARGUMENT where these do not belong together.
  absl::Status Validate() const;
};

struct CanaryOptions {
  // Between one answer and the next question; infinite: none but at first and on suspicion.
  absl::Duration interval = absl::Seconds(30);
  // Examples of one question at intervals; at first they are as many as the server batches.
  int64_t batch_examples = 16;
  int64_t max_batch_examples = 256;
  // After a suspicion that came to nothing the next is not followed up for so long: wrong
  // inputs are no reason to do little else.
  absl::Duration suspicion_gap = absl::Seconds(1);
};

// A pure state machine; points in time are readings of one monotonic clock. Thread-
// compatible.
//
//   if (canary.due() <= now) run(canary.Ask());      // later:
//   absl::Status status = canary.Judge(answer, now); // not OK: take the teacher out
//
// First all of the record is asked, batch by batch; once that is answered the teacher is
// proven(). Then a part of it at each interval, all of it in turn.
class Canary {
 public:
  // Nothing recorded: always proven, never due.
  Canary() = default;
  // Crashes unless record.Validate() is OK. A record of no examples is none.
  Canary(CanaryRecord record, const CanaryOptions& options);

  bool proven() const { return proven_; }
  // When to ask; infinite while a question is out.
  absl::Duration due() const { return asked_ > 0 ? absl::InfiniteDuration() : due_; }

  // How many examples the next question has.
  int64_t examples_due() const;
  // The examples to ask now. Crashes while a question is out.
  TensorView Ask();
  // How many are asked; 0: no question is out.
  int64_t asked() const { return asked_; }
  // The output for these, [examples, classes] (crashes otherwise), or why there is none.
  // DATA_LOSS, with the example, the fault and the fingerprint: the teacher answers wrongly;
  // ask it nothing any more. An error that says nothing about the model (RESOURCE_EXHAUSTED,
  // UNAVAILABLE, CANCELLED) of a teacher that is proven: asked again at the next interval.
  absl::Status Judge(const absl::StatusOr<TensorView>& answer, absl::Duration now);

  // An answer to a student was strange: the next question is due now.
  void Suspect(absl::Duration now);

  const std::string& output() const { return record_.output; }
  // Of the last answer, over what is allowed.
  double deviation() const { return deviation_; }

 private:
  absl::Status Compare(const TensorView& answer);
  void Advance(absl::Duration now);

  CanaryRecord record_;
  CanaryOptions options_;
  bool proven_ = true;
  int64_t examples_ = 0;
  // The next question begins here.
  int64_t next_ = 0;
  // Examples of the question that is out.
  int64_t asked_ = 0;
  absl::Duration due_ = absl::InfiniteDuration();
  absl::Duration suspected_ = -absl::InfiniteDuration();
  double deviation_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CANARY_CANARY_H_
