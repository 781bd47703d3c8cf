#include "distillation/order/run_examples.h"

#include "common/status/status_macros.h"
#include "distillation/order/labelled_subset.h"

namespace distill {

absl::StatusOr<RunExamples> ExamplesOfRun(const v1::RunConfig& run, std::span<const int32_t> labels,
                                          uint32_t classes, uint64_t seed) {
  RunExamples result;
  result.labels.assign(labels.begin(), labels.end());
  if (run.has_labelled_subset()) {
    ASSIGN_OR_RETURN(const std::vector<uint64_t> subset,
                     DrawLabelledSubset(labels, classes, run.labelled_subset().examples(), seed));
    result.labels.assign(labels.size(), -1);
    for (const uint64_t id : subset) result.labels[id] = labels[id];
  }
  result.order.seed = seed;
  result.order.examples = labels.size();
  result.order.global_batch_size = run.training().global_batch_size();
  result.order.view = run.view();
  if (run.train_on() != v1::RunConfig::LABELLED) return result;
  std::vector<uint64_t> labelled;
  for (uint64_t id = 0; id < result.labels.size(); ++id) {
    if (result.labels[id] >= 0) labelled.push_back(id);
  }
  if (labelled.size() < labels.size()) result.order.chosen = std::move(labelled);
  return result;
}

}  // namespace distill
