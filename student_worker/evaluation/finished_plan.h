// A plan that has run, for tests: four test images of three pixels, and two models
// whose predictions are known.
#ifndef STUDENT_WORKER_EVALUATION_FINISHED_PLAN_H_
#define STUDENT_WORKER_EVALUATION_FINISHED_PLAN_H_

#include <string>

#include "common/files/file_system.h"
#include "proto/run_config.pb.h"

namespace distill {

// FOLDER/data holds IDX files, FOLDER/runs/<run>/export the exports of
//   "teacher"  predicts the brightest pixel: 0, 1, 2, 0 on the test split
//   "student"  learns from it, and always predicts class 0
// The test labels are 0, 1, 1, 2. The plan comes resolved. Crashes where a file
// cannot be written.
v1::PlanConfig WriteFinishedPlan(FileSystem& files, const std::string& folder);

}  // namespace distill

#endif  // STUDENT_WORKER_EVALUATION_FINISHED_PLAN_H_
