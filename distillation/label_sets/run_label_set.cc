#include "distillation/label_sets/run_label_set.h"

#include "common/status/error_id.h"
#include "distillation/order/order.h"
#include "distillation/run_config/digests.h"

namespace distill {

absl::Status CheckCanBeRecorded(const v1::ViewSpec& view) {
  if (!Augments(view) || view.views_per_example() > 0) return absl::OkStatus();
  return WithErrorId(
      absl::FailedPreconditionError(
          "view.views_per_example is 0: every epoch sees each example in a view of its own, and no "
          "set can hold the labels of all; set it to the number of views to record, such as 4"),
      ErrorId::kNoFixedViews);
}

LabelSetIdentity LabelSetOf(const v1::RunConfig& run, const v1::DataSetConfig& data_set,
                            uint64_t seed, const std::string& output, uint64_t examples) {
  LabelSetIdentity asked;
  asked.output = output;
  asked.data_set_digest = DataSetDigest(data_set);
  asked.split = v1::TRAIN;
  asked.view_spec_digest = ViewSpecDigest(run.view());
  if (Augments(run.view())) {
    asked.views = run.view().views_per_example();
    asked.view_seed = seed;
  }
  asked.classes = data_set.classes();
  asked.examples = examples;
  asked.block_rows = 0;
  asked.part_blocks = 0;
  return asked;
}

}  // namespace distill
