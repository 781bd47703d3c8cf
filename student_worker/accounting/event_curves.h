// The curves of a run, read back from its TensorBoard event files.
#ifndef STUDENT_WORKER_ACCOUNTING_EVENT_CURVES_H_
#define STUDENT_WORKER_ACCOUNTING_EVENT_CURVES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"

namespace distill {

struct CurvePoint {
  int64_t step = 0;
  double value = 0;
  bool operator==(const CurvePoint&) const = default;
};

// By tag ("loss/total"), points by step.
using Curves = std::map<std::string, std::vector<CurvePoint>>;

// Of all DIR/<run>/events.out.tfevents.* in the order of their names, as TensorBoard shows them: a
// START takes back the points from its step on. A file is read up to its first record that is torn
// or damaged. Empty where there is no file; errors of FileSystem, NOT_FOUND for a missing folder.
absl::StatusOr<Curves> ReadCurves(FileSystem& files, const std::string& folder);

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_EVENT_CURVES_H_
