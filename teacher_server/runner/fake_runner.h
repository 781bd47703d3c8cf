// A Runner without a model: the test completes each batch when it wants, or lets
// the fake answer at once with values that are a function of the example.
#ifndef TEACHER_SERVER_RUNNER_FAKE_RUNNER_H_
#define TEACHER_SERVER_RUNNER_FAKE_RUNNER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "distillation/labels/label_head.h"
#include "teacher_server/runner/interface.h"

namespace distill {

// Thread-safe.
class FakeRunner final : public Runner {
 public:
  // kAtOnce answers inside Start; kOnDemand when CompleteOldest is called.
  enum class Mode { kAtOnce, kOnDemand };

  FakeRunner(ModelDescription description, Mode mode, int max_in_flight = 2);
  ~FakeRunner() override;

  const ModelDescription& description() const override { return description_; }
  int max_in_flight() const override { return max_in_flight_; }
  void Start(InferenceBatch batch, Done done) override;

  // InferenceResult::waited of what it answers. Before the first Start.
  void set_waited(absl::Duration waited) { waited_ = waited; }

  // Answers the oldest batch with its logits, or with `status` if that failed.
  // False when none is in flight.
  bool CompleteOldest(absl::Status status = absl::OkStatus());
  int in_flight() const;
  // Waits until so many are in flight, or `timeout` is over: false.
  bool AwaitInFlight(int count, absl::Duration timeout) const;

  // A head for models of so many classes.
  static std::shared_ptr<const LabelHead> Head(int64_t classes);

  // The logits it gives a row: class c gets c * (sum of the row's values). Where the model has
  // Head, its hidden state is that sum and 1, so that the two agree.
  static absl::StatusOr<InferenceResult> Answer(const ModelDescription& description,
                                                const InferenceBatch& batch);

 private:
  // With what it was told to say.
  absl::StatusOr<InferenceResult> AnswerOf(const InferenceBatch& batch) const;

  const ModelDescription description_;
  const Mode mode_;
  const int max_in_flight_;
  absl::Duration waited_;

  mutable absl::Mutex mu_;
  std::deque<std::pair<InferenceBatch, Done>> pending_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // TEACHER_SERVER_RUNNER_FAKE_RUNNER_H_
