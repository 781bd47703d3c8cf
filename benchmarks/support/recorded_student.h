// A student's training loop that reads its soft labels from a recorded set.
#ifndef BENCHMARKS_SUPPORT_RECORDED_STUDENT_H_
#define BENCHMARKS_SUPPORT_RECORDED_STUDENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmarks/support/student.h"
#include "common/files/file_system.h"
#include "distillation/label_sets/reader.h"

namespace distill {

// The next `steps` steps, as a run with recorded labels takes them. The window of steps read
// ahead is empty at first. `set` is of the student's training split, un-augmented.
absl::Status TrainFromSet(BenchStudent& student, const std::shared_ptr<LabelSetReader>& set,
                          int64_t steps);

// Writes such a set of any labels into a directory, and opens it. `files` outlives it.
absl::StatusOr<std::shared_ptr<LabelSetReader>> WriteAnySet(FileSystem& files,
                                                            const std::string& directory,
                                                            const BenchStudent& student);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_RECORDED_STUDENT_H_
