// What a run makes of its data set: which labels it knows and what its batches hold.
#ifndef DISTILLATION_ORDER_RUN_EXAMPLES_H_
#define DISTILLATION_ORDER_RUN_EXAMPLES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "distillation/order/order.h"
#include "proto/run_config.pb.h"

namespace distill {

struct RunExamples {
  // Of each training example; -1 where there is none, or the run does not use it.
  std::vector<int32_t> labels;
  // For Order::Create.
  OrderOptions order;
};

// A function of its arguments alone, so that every rank and every restart has the same.
// `labels` of all training examples, -1 for none; `run` resolved; `seed` of the plan.
// INVALID_ARGUMENT as DrawLabelledSubset.
absl::StatusOr<RunExamples> ExamplesOfRun(const v1::RunConfig& run, std::span<const int32_t> labels,
                                          uint32_t classes, uint64_t seed);

}  // namespace distill

#endif  // DISTILLATION_ORDER_RUN_EXAMPLES_H_
