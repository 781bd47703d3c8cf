#include "benchmarks/support/teacher.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "distillation/labels/codec.h"

namespace distill {
namespace {

constexpr char kModel[] = "bench";
constexpr char kDigest[] = "bench";

absl::StatusOr<std::shared_ptr<const DataSet>> AlikeExamples(const std::vector<int64_t>& dims) {
  v1::DataSetConfig config;
  config.set_name("bench");
  config.set_classes(2);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<int64_t> all_dims = {BenchTeacher::kExamples};
  all_dims.insert(all_dims.end(), dims.begin(), dims.end());
  std::vector<uint8_t> pixels(
      std::accumulate(all_dims.begin(), all_dims.end(), size_t{1}, std::multiplies<>()), 1);
  std::vector<int64_t> labels(BenchTeacher::kExamples, 0);
  return DataSet::FromArrays(
      config, MakeTensorView(ElementType::kUInt8, std::move(all_dims), std::move(pixels)),
      MakeTensorView(ElementType::kInt64, {BenchTeacher::kExamples}, std::move(labels)),
      DataSet::Files::kTraining);
}

}  // namespace

ModelDescription BenchModel(int64_t classes, std::vector<int64_t> example_dims) {
  return {"f00d", "bench", std::move(example_dims), classes, {"logits"}};
}

NopRunner::NopRunner(ModelDescription description, int64_t max_rows)
    : description_(std::move(description)), logits_([&] {
        auto values = std::make_shared<std::vector<float>>(max_rows * description_.classes);
        // A prime, so that no two rows are alike.
        for (size_t i = 0; i < values->size(); ++i)
          (*values)[i] = static_cast<float>(i % 9973) * (24.0f / 9973);
        return values;
      }()) {}

void NopRunner::Start(InferenceBatch batch, Done done) {
  const int64_t rows = batch.examples.dims[0];
  InferenceResult result;
  result.outputs.push_back(
      {ElementType::kFloat32,
       {rows, description_.classes},
       std::as_bytes(std::span(*logits_)).first(rows * description_.classes * sizeof(float)),
       logits_});
  done(std::move(result));
}

WaitingRunner::WaitingRunner(ModelDescription description, int64_t max_rows, absl::Duration per_row,
                             Clock* clock)
    : answers_(std::move(description), max_rows),
      per_row_(per_row),
      clock_(clock),
      timers_(clock) {}

WaitingRunner::~WaitingRunner() { timers_.Stop(); }

void WaitingRunner::Start(InferenceBatch batch, Done done) {
  const int64_t rows = batch.examples.dims[0];
  absl::Duration done_at;
  {
    absl::MutexLock lock(&mu_);
    // On the device's own time: that a timer fires late does not slow it.
    free_at_ = std::max(free_at_, clock_->MonotonicNow()) + per_row_ * rows;
    done_at = free_at_;
  }
  auto held = std::make_shared<std::pair<InferenceBatch, Done>>(std::move(batch), std::move(done));
  const auto timer = timers_.ScheduleAt(done_at, [this, held, compute = per_row_ * rows] {
    answers_.Start(std::move(held->first), [held, compute](absl::StatusOr<InferenceResult> result) {
      if (result.ok()) result->compute = compute;
      held->second(std::move(result));
    });
  });
  if (!timer.ok()) held->second(timer.status());
}

absl::StatusOr<std::unique_ptr<BenchTeacher>> BenchTeacher::Start(
    std::shared_ptr<Runner> runner, int64_t max_batch_examples, Clock* clock,
    ServingObserver* observer, LabelCache* cache, const LabelStreamOptions& stream) {
  std::unique_ptr<BenchTeacher> teacher(new BenchTeacher(stream, clock, observer, cache));
  const ModelDescription& model = runner->description();
  Serving serving;
  serving.model.model = kModel;
  serving.model.fingerprint = model.fingerprint;
  serving.model.data_set_digest = kDigest;
  serving.model.outputs = model.outputs;
  serving.model.codecs = ServedCodecNames();
  serving.model.example_dims = model.example_dims;
  serving.model.classes = static_cast<uint32_t>(model.classes);
  ASSIGN_OR_RETURN(serving.data, AlikeExamples(model.example_dims));
  serving.runner = std::move(runner);
  serving.bounds.set_max_batch_examples(max_batch_examples);
  teacher->server_.Serve(std::move(serving));
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.services = {&teacher->service_};
  ASSIGN_OR_RETURN(teacher->rpc_, RpcServer::Start(options));
  return teacher;
}

BenchTeacher::BenchTeacher(const LabelStreamOptions& stream, Clock* clock,
                           ServingObserver* observer, LabelCache* cache)
    : timers_(clock), server_(stream, &control_, &timers_, clock, observer, cache) {}

BenchTeacher::~BenchTeacher() {
  rpc_.reset();
  timers_.Stop();
  control_.Stop();
}

v1::Open BenchTeacher::OpenFor(const ModelDescription& model, const std::string& codec) {
  v1::Open open;
  open.set_model(kModel);
  open.set_fingerprint(model.fingerprint);
  open.add_outputs()->set_name("logits");
  open.mutable_outputs(0)->mutable_logits();
  open.add_codecs(codec);
  open.set_classes(static_cast<uint32_t>(model.classes));
  for (const int64_t dim : model.example_dims) open.add_example_dims(dim);
  return open;
}

v1::Ask BenchTeacher::Ask(uint64_t request_id, int64_t rows) {
  v1::Ask ask;
  ask.set_request_id(request_id);
  ask.mutable_remaining()->set_seconds(60);
  v1::ExampleRefs& examples = *ask.mutable_examples();
  examples.set_data_set_digest(kDigest);
  examples.set_split(v1::TRAIN);
  for (int64_t row = 0; row < rows; ++row) {
    examples.add_ids((request_id * static_cast<uint64_t>(rows) + row) % kExamples);
  }
  return ask;
}

}  // namespace distill
