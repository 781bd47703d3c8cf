// A Runner whose answers can be spoilt, for tests that it is found out.
#ifndef TEACHER_SERVER_RUNNER_FAULTY_RUNNER_H_
#define TEACHER_SERVER_RUNNER_FAULTY_RUNNER_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/tensor_view/tensor_view.h"
#include "teacher_server/runner/interface.h"

namespace distill {

// Thread-safe. Passes all on to another runner, and spoils the results that come while a
// fault is injected.
class FaultyRunner final : public Runner {
 public:
  enum class Fault {
    kNone,
    // A value of the last row.
    kNan,
    kInfinite,
    // Each row holds its first value; zero only.
    kConstant,
    kUniform,
    // Rows in pairs, the second a copy of the first.
    kDuplicated,
    // Each row is the one before it.
    kPermuted,
    // By 1.02.
    kScaled,
    // The first two.
    kClassesSwapped,
    // A hundredth of the row's spread, on the last class.
    kBiased,
    // The result before this one.
    kStale,
    // A fiftieth of the row's spread, this way or that by class.
    kWrongWeights,
  };
  // All but kNone.
  static std::vector<Fault> AllFaults();
  static const char* Name(Fault fault);

  explicit FaultyRunner(std::shared_ptr<Runner> runner);
  ~FaultyRunner() override;

  void Inject(Fault fault);

  const ModelDescription& description() const override { return runner_->description(); }
  int max_in_flight() const override { return runner_->max_in_flight(); }
  void Start(InferenceBatch batch, Done done) override;

 private:
  void Spoil(InferenceResult& result);

  absl::Mutex mu_;
  Fault fault_ ABSL_GUARDED_BY(mu_) = Fault::kNone;
  std::vector<TensorView> last_ ABSL_GUARDED_BY(mu_);
  // Last, so destroyed first: its batches come back here.
  std::shared_ptr<Runner> runner_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_RUNNER_FAULTY_RUNNER_H_
