// The way of an ask that the cache may answer: its rows, the flights that compute what is
// missing, the answer.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/validity.h"
#include "teacher_server/cache/label_key.h"
#include "teacher_server/service/batch_rows.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_state.h"

namespace distill {

void LabelServer::Model::AddAsk(Request request) {
  const uint64_t id = request.id;
  ask_deadlines.insert({request.deadline, id});
  asks.emplace(id, std::move(request));
}

std::optional<LabelServer::Request> LabelServer::Model::TakeAsk(uint64_t id) {
  auto node = asks.extract(id);
  if (node.empty()) return std::nullopt;
  ask_deadlines.erase({node.mapped().deadline, id});
  return std::move(node.mapped());
}

void LabelServer::StartRows(Request request) {
  const v1::ExampleRefs& refs = request.refs;
  // Without seeds nobody has checked the digest, and it makes no difference.
  const std::string view = refs.view_seeds().empty() ? "" : refs.view_spec_digest();
  CachedRows::Wanted wanted;
  for (const std::string& output : request.stream->computed) {
    wanted.scopes.push_back(ScopeOf(model_->served->fingerprint, model_->served->numerics_class,
                                    output, refs.data_set_digest(), refs.split(), view));
  }
  wanted.examples.assign(refs.ids().begin(), refs.ids().end());
  wanted.view_seeds.assign(refs.view_seeds().begin(), refs.view_seeds().end());
  wanted.view_seeds.resize(wanted.examples.size());
  const uint64_t id = request.id;
  model_->AddAsk(std::move(request));
  model_->rows->Start(id, wanted);
}

void LabelServer::TakeRows() {
  if (model_->rows == nullptr) return;
  while (true) {
    const std::vector<CachedRows::Ready> ready = model_->rows->TakeReady();
    const std::vector<CachedRows::Flight> flights = model_->rows->TakeFlights();
    if (ready.empty() && flights.empty()) return;
    for (const CachedRows::Ready& rows : ready) AnswerRows(rows);
    for (const CachedRows::Flight& flight : flights) SubmitFlight(flight);
  }
}

// The batcher sees to the deadlines of flights: not to those of asks that wait for the disk,
// or for the flight of another ask.
bool LabelServer::ExpireAsks() {
  const absl::Duration now = clock_->MonotonicNow();
  bool any = false;
  while (!model_->ask_deadlines.empty() && model_->ask_deadlines.begin()->first <= now) {
    any = true;
    const std::optional<Request> request = model_->TakeAsk(model_->ask_deadlines.begin()->second);
    DropFlights(model_->rows->Abandon(request->id));
    Shed(ShedReasonName(ShedReason::kExpired));
    Fail(*request, absl::DeadlineExceededError(
                       "its time ended before the server had found or computed its labels"));
  }
  return any;
}

void LabelServer::SubmitFlight(const CachedRows::Flight& flight) {
  const auto ask = model_->asks.find(flight.ask);
  // Another flight of the same ask has failed meanwhile.
  if (ask == model_->asks.end()) {
    model_->rows->Failed(flight.id);
    return;
  }
  Request request = ask->second;
  // The ask holds the memory for its answer, and may be gone before its flight is.
  request.memory = nullptr;
  request.rows = model_->rows;
  request.flight = flight.id;
  const bool has_seeds = !request.refs.view_seeds().empty();
  request.refs.clear_ids();
  request.refs.clear_view_seeds();
  request.refs.mutable_ids()->Add(flight.examples.begin(), flight.examples.end());
  if (has_seeds) {
    request.refs.mutable_view_seeds()->Add(flight.view_seeds.begin(), flight.view_seeds.end());
  }
  Submit(std::move(request));
}

void LabelServer::DropFlights(const std::vector<uint64_t>& flights) {
  for (const uint64_t flight : flights) {
    // One that is being computed fills the cache.
    if (!model_->batcher.Cancel(flight)) continue;
    model_->waiting.erase(flight);
    model_->rows->Failed(flight);
  }
}

void LabelServer::AnswerRows(const CachedRows::Ready& ready) {
  const std::optional<Request> ask = model_->TakeAsk(ready.ask);
  if (!ask.has_value() || !Wanted(*ask)) return;
  const Request& request = *ask;
  const absl::Duration begin = clock_->MonotonicNow();
  const std::vector<std::string>& outputs = request.stream->computed;
  const int64_t rows = request.refs.ids_size();
  const int64_t classes = model_->WidthFor(*request.stream);
  InferenceResult result;
  for (size_t output = 0; output < outputs.size(); ++output) {
    std::vector<float> values;
    values.reserve(static_cast<size_t>(rows * classes));
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float>& label = *ready.rows[output * rows + row];
      if (label.size() != static_cast<size_t>(classes)) {
        Fail(request, absl::InternalError(absl::StrCat("the label cache holds a row of output ",
                                                       outputs[output], " with ", label.size(),
                                                       " classes instead of ", classes)));
        return;
      }
      values.insert(values.end(), label.begin(), label.end());
    }
    result.outputs.push_back(
        MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values)));
  }
  auto answer = EncodeRows(result, outputs, 0, rows, request.stream->outputs,
                           *request.stream->codec, RowKeys(*request.stream->codec, request.refs));
  if (!answer.ok()) {
    Fail(request, answer.status());
    return;
  }
  answer->stages = request.stages;
  answer->stages.set_encode(absl::ToDoubleSeconds(clock_->MonotonicNow() - begin));
  Answer(request, *std::move(answer));
}

void LabelServer::KeepRows(Work& work, const Request& request, const InferenceResult& result,
                           int64_t first) {
  const int64_t classes = work.model->WidthFor(*request.stream);
  const int64_t rows = request.refs.ids_size();
  std::vector<LabelRow> labels;
  for (const std::string& output : request.stream->computed) {
    const size_t index =
        std::find(work.outputs.begin(), work.outputs.end(), output) - work.outputs.begin();
    const std::span<const float> values =
        result.outputs.at(index).as<float>().subspan(first * classes, rows * classes);
    absl::Status valid = output == kHiddenOutput ? CheckFiniteRows(values, classes)
                                                 : CheckTeacherLogits(values, classes);
    if (!valid.ok()) {
      const bool finite = CheckFiniteRows(values, classes).ok();
      valid = WithErrorId(std::move(valid),
                          finite ? ErrorId::kTeacherConstant : ErrorId::kTeacherNotFinite);
      Suspect(*work.model, valid);
      Fail(request, Annotate(valid, absl::StrCat("output ", output)));
      return;
    }
    for (int64_t row = 0; row < rows; ++row) {
      const auto begin = values.begin() + row * classes;
      labels.push_back(std::make_shared<const std::vector<float>>(begin, begin + classes));
    }
  }
  if (const auto ask = work.model->asks.find(request.id); ask != work.model->asks.end()) {
    v1::StageSeconds& stages = ask->second.stages;
    stages.set_queue(absl::ToDoubleSeconds(work.started - request.admitted + result.waited));
    stages.set_assemble(absl::ToDoubleSeconds(work.assemble));
    stages.set_infer(absl::ToDoubleSeconds(result.compute));
  }
  request.rows->Computed(request.flight, labels);
}

bool LabelServer::Needed(const Request& request) {
  return Wanted(request) || (request.rows != nullptr && request.rows->Awaited(request.flight));
}

}  // namespace distill
