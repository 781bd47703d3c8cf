// The way of a batch: examples, runner, labels, answers.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "teacher_server/service/batch_rows.h"
#include "teacher_server/service/example_batch.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_state.h"

namespace distill {

void LabelServer::StartBatch(const Batch& batch) {
  auto work = std::make_unique<Work>();
  work->model = model_;
  work->batch = batch;
  std::vector<Request>& group = work->groups.emplace_back();
  for (const BatchRequest& request : batch.requests) {
    group.push_back(std::move(model_->waiting.extract(request.id).mapped()));
  }
  const uint64_t id = ++last_work_;
  works_[id] = std::move(work);
  RunNext(id);
}

void LabelServer::RunNext(uint64_t work_id) {
  Work& work = *works_.at(work_id);
  while (!work.groups.empty()) {
    work.running = std::move(work.groups.front());
    work.groups.pop_front();
    std::optional<InferenceBatch> batch = Assemble(work);
    if (!batch.has_value()) continue;
    // Without the model: who lets go of a runner last must not be one of its threads.
    work.model->runner->Start(*std::move(batch),
                              [this, work_id](absl::StatusOr<InferenceResult> result) {
                                PostSurely([this, work_id, result = std::move(result)]() mutable {
                                  OnResult(work_id, std::move(result));
                                });
                              });
    return;
  }
  Complete(work_id);
}

std::optional<InferenceBatch> LabelServer::Assemble(Work& work) {
  work.started = clock_->MonotonicNow();
  InferenceBatch batch;
  int64_t rows = 0;
  for (const Request& request : work.running) rows += request.examples();
  ExampleBatch examples(rows, work.model->served->example_dims);
  std::vector<Request> kept;
  for (Request& request : work.running) {
    if (!Needed(request)) {
      if (request.rows != nullptr) request.rows->Failed(request.flight);
      continue;
    }
    const absl::Status added = request.tensors.has_value()
                                   ? examples.Add(*request.tensors)
                                   : examples.Add(request.refs, *work.model->data);
    if (!added.ok()) {
      Fail(request, added);
      continue;
    }
    for (const std::string& output : request.stream->computed) {
      const auto found = std::find(batch.outputs.begin(), batch.outputs.end(), output);
      if (found == batch.outputs.end()) batch.outputs.push_back(output);
    }
    kept.push_back(std::move(request));
  }
  work.running = std::move(kept);
  if (work.running.empty()) return std::nullopt;
  batch.examples = examples.Take();
  work.examples = batch.examples;
  work.outputs = batch.outputs;
  work.assemble = clock_->MonotonicNow() - work.started;
  return batch;
}

void LabelServer::OnResult(uint64_t work_id, absl::StatusOr<InferenceResult> result) {
  Work& work = *works_.at(work_id);
  const std::vector<Request> requests = std::exchange(work.running, {});
  const TensorView examples = std::exchange(work.examples, {});
  absl::Status status = result.status();
  if (status.ok()) status = work.model->at_fault;
  if (status.ok()) {
    int64_t rows = 0;
    for (const Request& request : requests) rows += request.examples();
    status = CheckResult(*result, work.outputs, rows, work.model->served->classes,
                         work.model->features());
  }
  if (status.ok() && !work.model->gives_copies) {
    status = CheckCopies(*result, work.outputs, examples);
  }
  if (status.ok()) {
    work.waited += result->waited;
    work.compute += result->compute;
    AnswerAll(work, requests, *result);
  } else {
    work.failed = true;
    Suspect(*work.model, status);
    const bool retry = absl::IsDataLoss(status) && requests.size() > 1;
    for (const Request& request : requests) {
      if (retry) {
        work.groups.push_back({request});
      } else {
        Fail(request, status);
      }
    }
  }
  RunNext(work_id);
}

void LabelServer::AnswerAll(Work& work, const std::vector<Request>& requests,
                            const InferenceResult& result) {
  int64_t first = 0;
  for (const Request& request : requests) {
    const int64_t rows = request.examples();
    const absl::Duration begin = clock_->MonotonicNow();
    if (request.rows != nullptr) {
      KeepRows(work, request, result, first);
    } else if (Wanted(request)) {
      auto answer =
          EncodeRows(result, work.outputs, first, rows, request.stream->outputs,
                     *request.stream->codec, RowKeys(*request.stream->codec, request.refs));
      if (answer.ok()) {
        v1::StageSeconds& stages = answer->stages;
        stages.set_queue(absl::ToDoubleSeconds(work.started - request.admitted + result.waited));
        stages.set_assemble(absl::ToDoubleSeconds(work.assemble));
        stages.set_infer(absl::ToDoubleSeconds(result.compute));
        stages.set_encode(absl::ToDoubleSeconds(clock_->MonotonicNow() - begin));
        Answer(request, *std::move(answer));
      } else {
        Suspect(*work.model, answer.status());
        Fail(request, answer.status());
      }
    }
    first += rows;
  }
}

void LabelServer::Complete(uint64_t work_id) {
  const std::unique_ptr<Work> work = std::move(works_.at(work_id));
  works_.erase(work_id);
  Batcher& batcher = work->model->batcher;
  // A failure says nothing about how long a batch takes.
  std::optional<absl::Duration> compute;
  if (!work->failed && work->compute > absl::ZeroDuration()) compute = work->compute;
  batcher.Complete(work->batch.id, compute, clock_->MonotonicNow());
  if (observer_ != nullptr) {
    observer_->OnFill(work->batch.fill, work->batch.padding);
    observer_->OnBatch(work->batch.reason, work->batch.examples,
                       work->batch.queue_time + work->waited, work->compute);
  }
}

bool LabelServer::Wanted(const Request& request) {
  const auto asked = request.stream->asked.find(request.request_id);
  return asked != request.stream->asked.end() && asked->second == request.id;
}

void LabelServer::Answer(const Request& request, LabelAnswer answer) {
  Stream& stream = *request.stream;
  stream.asked.erase(request.request_id);
  {
    absl::MutexLock lock(&stream.mu);
    stream.state->Answer(request.request_id, std::move(answer));
  }
  stream.sink->Wake();
  if (observer_ == nullptr) return;
  observer_->OnAnswered(absl::StatusCode::kOk, request.examples(),
                        clock_->MonotonicNow() - request.admitted);
}

void LabelServer::Fail(const Request& request, const absl::Status& status,
                       absl::Duration retry_after) {
  if (request.rows != nullptr) {
    const std::vector<uint64_t> unwanted = request.rows->Failed(request.flight);
    if (model_ != nullptr && model_->rows == request.rows) {
      model_->TakeAsk(request.id);
      DropFlights(unwanted);
    }
  }
  if (!Wanted(request)) return;
  Stream& stream = *request.stream;
  stream.asked.erase(request.request_id);
  {
    absl::MutexLock lock(&stream.mu);
    stream.state->Fail(request.request_id, status, retry_after);
  }
  stream.sink->Wake();
  if (observer_ == nullptr) return;
  observer_->OnAnswered(status.code(), request.examples(),
                        clock_->MonotonicNow() - request.admitted);
}

}  // namespace distill
