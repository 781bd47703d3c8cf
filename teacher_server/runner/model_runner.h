// The Runner of every Model: an architecture or a program.
#ifndef TEACHER_SERVER_RUNNER_MODEL_RUNNER_H_
#define TEACHER_SERVER_RUNNER_MODEL_RUNNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/executor/executor.h"
#include "teacher_server/runner/interface.h"

namespace distill {

class Model;

// SetComputeThreads (distillation/models/threads.h), for who does not see LibTorch's rooms.
absl::Status SetInferenceThreads(int threads);

// "AVX2, 1 thread, LibTorch 2.11.0, float32": what decides how results round.
std::string NumericsClass();

struct ModelRunnerOptions {
  // Of the export that `model` was loaded from.
  std::string fingerprint;
  std::vector<int64_t> example_dims;
  int64_t classes = 0;
  int max_in_flight = 2;
};

// A runner with the outputs of the model, each [rows, classes], and of an architecture a head that
// shares its memory. It computes on `executor`: a serial one, the only user of its device. Both
// pointers must outlive it.
std::unique_ptr<Runner> MakeModelRunner(std::unique_ptr<Model> model, ModelRunnerOptions options,
                                        Executor* executor, Clock* clock);

}  // namespace distill

#endif  // TEACHER_SERVER_RUNNER_MODEL_RUNNER_H_
