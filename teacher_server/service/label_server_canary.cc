// Examples with recorded answers, asked beside those of students.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/status/error_id.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/service/batch_rows.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_state.h"

namespace distill {

void LabelServer::StartServing(std::shared_ptr<Model> model) {
  const auto told = model->told;
  SwitchTo(std::move(model), absl::UnavailableError("another model is served here now"));
  if (told) told(absl::OkStatus());
}

// Before the batcher: it gets the place that is free next, so that no load starves it.
void LabelServer::AskCanary() {
  const std::shared_ptr<Model>& model = proving_ != nullptr ? proving_ : model_;
  if (model == nullptr || draining_) return;
  const absl::Duration now = clock_->MonotonicNow();
  if (model->canary.due() > now) return;
  const std::optional<uint64_t> place = model->batcher.TakePlace(model->canary.examples_due(), now);
  if (!place.has_value()) return;
  auto work = std::make_unique<Work>();
  work->model = model;
  work->batch.id = *place;
  work->outputs = {model->canary.output()};
  const uint64_t id = ++last_work_;
  works_[id] = std::move(work);
  model->runner->Start(
      {model->canary.Ask(), {model->canary.output()}},
      [this, id](absl::StatusOr<InferenceResult> result) {
        PostSurely([this, id, result = std::move(result)] { OnCanary(id, result); });
      });
}

void LabelServer::OnCanary(uint64_t work_id, const absl::StatusOr<InferenceResult>& result) {
  const std::unique_ptr<Work> work = std::move(works_.at(work_id));
  works_.erase(work_id);
  Model& model = *work->model;
  const absl::Duration now = clock_->MonotonicNow();
  const int64_t examples = model.canary.asked();
  // What it costs is no example of what students' batches cost.
  model.batcher.Complete(work->batch.id, std::nullopt, now);
  if (work->model != model_ && work->model != proving_) return;
  absl::Status answered = result.status();
  if (answered.ok()) {
    answered = CheckResult(*result, work->outputs, examples, model.served->classes);
  }
  absl::StatusOr<TensorView> answer = TensorView();
  if (answered.ok()) {
    answer = result->outputs[0];
  } else {
    answer = answered;
  }
  const absl::Status right = model.canary.Judge(answer, now);
  if (observer_ != nullptr) observer_->OnCanary(right.ok(), model.canary.deviation());
  if (!right.ok()) {
    TakeOut(model, right);
  } else if (work->model == proving_ && model.canary.proven()) {
    StartServing(work->model);
  }
}

void LabelServer::TakeOut(Model& model, const absl::Status& why) {
  // To students: of this server, this is no teacher of their run.
  model.at_fault = Reworded(why, absl::StatusCode::kFailedPrecondition, std::string(why.message()));
  SwitchTo(nullptr, model.at_fault);
  // Some are of the time since it last answered rightly. A server has one device: no model's
  // rows are trusted more than another's.
  if (cache_ != nullptr) cache_->Clear();
  if (model.told) model.told(why);
}

// A wrong input spoils labels as well as a wrong model does; recorded ones tell which.
void LabelServer::Suspect(Model& model, const absl::Status& status) {
  if (!absl::IsDataLoss(status) && !absl::IsInternal(status)) return;
  model.canary.Suspect(clock_->MonotonicNow());
}

}  // namespace distill
