// What a rank's step took in, kept where the step diverged: to look into, and to compute again.
#ifndef STUDENT_WORKER_WORKER_DIVERGED_BATCH_H_
#define STUDENT_WORKER_WORKER_DIVERGED_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/file_system.h"
#include "distillation/data/data_set.h"
#include "distillation/order/order.h"
#include "distillation/schedules/schedule_timeline.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"
#include "student_worker/training/trainer.h"

namespace distill {

// Whether a step ended with `status` because what it computed was not finite.
bool IsDivergence(const absl::Status& status);

struct DivergedStep {
  int64_t step = 0;
  std::vector<ExampleView> slice;
  StepValues values;
  TeacherLabels labels;
};

// Writes a safetensors file. Its tensors, n being the rows of the slice:
//   ids, view_seeds        int64 [n]; a seed of 0 is the example as it is
//   inputs                 float32 [n, example dims...], as the student saw them
//   hard_labels            int64 [n], -1 where the run has none
//   labels.<role>.<output> float32 [n, classes]; of sparse labels instead .ids int64 and
//                          .values or .weights float32, [n, width], and where there are any
//                          .shift float32 [n] and .tail float64 [n, nodes]; of hidden ones
//                          .hidden float32 [n, features]
// Its metadata: run, step, seed, the teachers' fingerprints and the schedules' values. `run`
// resolved. Errors of ExamplesOfRun, DataSet::Examples and WriteSafetensors.
absl::Status WriteDivergedBatch(FileSystem& files, const std::string& path, const v1::World& world,
                                const v1::RunConfig& run, const DataSet& data,
                                const DivergedStep& diverged);

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_DIVERGED_BATCH_H_
