#include "benchmarks/support/recorded_student.h"

#include <utility>
#include <vector>

#include "common/executor/thread_executor.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/writer.h"
#include "distillation/order/run_examples.h"
#include "student_worker/worker/recorded_labels.h"

namespace distill {
namespace {

constexpr uint64_t kSeed = 1;  // BenchStudent's

}  // namespace

absl::Status TrainFromSet(BenchStudent& student, const std::shared_ptr<LabelSetReader>& set,
                          int64_t steps) {
  ThreadExecutor executor({.name = "label sets", .threads = 1, .max_queued = 64});
  ASSIGN_OR_RETURN(const RunExamples examples,
                   ExamplesOfRun(student.run(), student.data()->labels(v1::TRAIN),
                                 student.data()->classes(), kSeed));
  ASSIGN_OR_RETURN(Order order, Order::Create(examples.order));
  RecordedLabelsOptions options;
  options.first_step = student.next_step();
  options.end_step = student.next_step() + steps;
  options.window_steps = static_cast<int>(student.run().labels().window_steps());
  const auto labels = RecordedLabels::Create(
      options, set, RowsOfSlices(std::move(order), 0, 1, set->identity()), &executor);
  const absl::Status trained =
      student.Train(steps, [&](int64_t step) -> absl::StatusOr<SoftLabels> {
        ASSIGN_OR_RETURN(StepLabels outputs, labels->Take(step));
        return std::move(outputs.at(set->identity().output));
      });
  labels->Close(absl::CancelledError("the turn is over"));
  return trained;
}

absl::StatusOr<std::shared_ptr<LabelSetReader>> WriteAnySet(FileSystem& files,
                                                            const std::string& directory,
                                                            const BenchStudent& student) {
  LabelSetIdentity identity;
  identity.fingerprint = "f00d";
  identity.output = "logits";
  identity.data_set_digest = "bench";
  identity.split = v1::TRAIN;
  identity.view_spec_digest = "bench";
  identity.codec = "dense_fp16";
  identity.classes = static_cast<uint64_t>(student.classes());
  identity.examples = student.data()->size(v1::TRAIN);
  ASSIGN_OR_RETURN(const auto codec, FindLabelSetCodec(identity.codec));
  ASSIGN_OR_RETURN(const auto writer, LabelSetWriter::Open(&files, directory, identity, {}));
  for (uint64_t block = 0; block < identity.blocks(); ++block) {
    const auto rows = static_cast<int64_t>(identity.RowsOf(block));
    std::vector<float> values(static_cast<size_t>(rows * student.classes()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 0.25f;
    ASSIGN_OR_RETURN(EncodedLabels labels,
                     codec->Encode(MakeTensorView(ElementType::kFloat32, {rows, student.classes()},
                                                  std::move(values))));
    RETURN_IF_ERROR(writer->Add(block, std::move(labels)));
  }
  RETURN_IF_ERROR(writer->Finish());
  ASSIGN_OR_RETURN(auto set, LabelSetReader::Open(&files, directory, identity, {}));
  return std::shared_ptr<LabelSetReader>(std::move(set));
}

}  // namespace distill
