#include "student_worker/worker/event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/status_macros.h"
#include "student_worker/accounting/event_record.h"
#include "student_worker/accounting/phase_clock.h"

namespace distill {
namespace {

constexpr absl::Duration kWriteEvery = absl::Seconds(1);
// Of steps that take no time a second holds many.
constexpr size_t kMaxUnwrittenBytes = size_t{64} << 10;

void AddScalar(tensorboard::Event& event, std::string tag, double value) {
  tensorboard::Summary::Value* scalar = event.mutable_summary()->add_value();
  scalar->set_tag(std::move(tag));
  scalar->set_simple_value(static_cast<float>(value));
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> EventLog::Open(FileSystem& files, Clock& clock,
                                                         const EventLogOptions& options) {
  RETURN_IF_ERROR(files.MakeDirectories(options.folder));
  // "tfevents" is what TensorBoard knows them by.
  const std::string path =
      JoinPath(options.folder, absl::StrFormat("events.out.tfevents.%012d.generation%09d",
                                               options.first_step, options.generation));
  // A world has one session of rank 0; were there a second one, it would begin anew.
  RETURN_IF_ERROR(files.Write(path, ""));
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, files.OpenForAppend(path));
  std::unique_ptr<EventLog> log(new EventLog(std::move(file), clock, options.examples_per_step));
  tensorboard::Event version;
  version.set_file_version("brain.Event:2");
  log->Add(0, version);
  tensorboard::Event start;
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  // The point at `first_step` is of the steps before it, which the checkpoint holds.
  log->Add(options.first_step + 1, start);
  RETURN_IF_ERROR(log->Write());
  return log;
}

EventLog::~EventLog() {
  MakePoint();
  // Where this fails, the session has failed before or is over.
  Write().IgnoreError();
}

absl::Status EventLog::OnStep(const StepRecord& record) {
  loss_.Add(record.loss);
  for (const auto& [term, value] : record.loss_terms) terms_[term].Add(value);
  wall_ += Total(record.phases);
  waited_ += record.phases[static_cast<int>(Phase::kWaitTeacher)];
  last_.step = record.step;
  last_.temperature = record.temperature;
  last_.hard_weight = record.hard_weight;
  last_.soft_weight = record.soft_weight;
  last_.learning_rate = record.learning_rate;
  if ((record.step + 1) % kStepsPerPoint != 0) return absl::OkStatus();
  MakePoint();
  if (clock_.MonotonicNow() - written_at_ < kWriteEvery && records_.size() < kMaxUnwrittenBytes) {
    return absl::OkStatus();
  }
  return Write();
}

void EventLog::OnValidation(int64_t steps_done, double accuracy) {
  tensorboard::Event event;
  AddScalar(event, "eval/validation_accuracy", accuracy);
  Add(steps_done, event);
}

absl::Status EventLog::BeforeCheckpoint() {
  MakePoint();
  return Write();
}

void EventLog::Add(int64_t step, tensorboard::Event& event) {
  event.set_step(step);
  event.set_wall_time(absl::ToDoubleSeconds(clock_.WallNow() - absl::UnixEpoch()));
  absl::StrAppend(&records_, EventRecord(event));
}

void EventLog::MakePoint() {
  if (loss_.count == 0) return;
  const auto steps = static_cast<double>(loss_.count);
  tensorboard::Event event;
  AddScalar(event, "loss/total", loss_.sum / steps);
  for (auto& [term, mean] : terms_) {
    if (mean.count == 0) continue;
    AddScalar(event, absl::StrCat("loss/", term), mean.sum / static_cast<double>(mean.count));
    mean = {};
  }
  AddScalar(event, "schedule/temperature", last_.temperature);
  AddScalar(event, "schedule/hard_weight", last_.hard_weight);
  AddScalar(event, "schedule/soft_weight", last_.soft_weight);
  AddScalar(event, "schedule/learning_rate", last_.learning_rate);
  const double seconds = std::max(1e-9, absl::ToDoubleSeconds(wall_));
  AddScalar(event, "speed/examples_per_second",
            steps * static_cast<double>(examples_per_step_) / seconds);
  AddScalar(event, "speed/seconds_per_step", seconds / steps);
  AddScalar(event, "speed/waiting_for_teacher_share", absl::ToDoubleSeconds(waited_) / seconds);
  Add(last_.step + 1, event);
  loss_ = {};
  wall_ = absl::ZeroDuration();
  waited_ = absl::ZeroDuration();
}

absl::Status EventLog::Write() {
  written_at_ = clock_.MonotonicNow();
  if (records_.empty()) return absl::OkStatus();
  // Once: after an error the file may end in a part of them, behind which nothing is read.
  const std::string records = std::exchange(records_, "");
  return file_->Append(records);
}

}  // namespace distill
