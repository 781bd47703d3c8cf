// Which label set a run can be trained from.
#ifndef DISTILLATION_LABEL_SETS_RUN_LABEL_SET_H_
#define DISTILLATION_LABEL_SETS_RUN_LABEL_SET_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "distillation/label_sets/identity.h"
#include "proto/run_config.pb.h"

namespace distill {

// FAILED_PRECONDITION, with what to set, for a view that no set can hold: one that is drawn
// anew in every epoch.
absl::Status CheckCanBeRecorded(const v1::ViewSpec& view);

// What the run asks of the set that stands for one output of a teacher, for CheckHeld and
// LabelSetReader: numerics class, codec and layout accept any, and the fingerprint is left
// to the caller. `run` resolved, `seed` of its plan, `examples` of the training split.
LabelSetIdentity LabelSetOf(const v1::RunConfig& run, const v1::DataSetConfig& data_set,
                            uint64_t seed, const std::string& output, uint64_t examples);

}  // namespace distill

#endif  // DISTILLATION_LABEL_SETS_RUN_LABEL_SET_H_
