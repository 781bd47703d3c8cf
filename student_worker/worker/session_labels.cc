#include "student_worker/worker/session_labels.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/label_sets/run_label_set.h"
#include "distillation/order/run_examples.h"
#include "distillation/run_config/digests.h"
#include "distillation/run_config/teachers.h"
#include "distillation/schedules/schedule.h"
#include "distillation/schedules/schedule_timeline.h"
#include "student_worker/worker/recorded_labels.h"

namespace distill {
namespace {

// The temperatures over the whole run, for which sparse codecs are made. Those of its own schedule
// among them, whatever holds now: the coordinator lets later versions move within these.
absl::StatusOr<std::pair<double, double>> TemperatureRange(const v1::World& world,
                                                           const ScheduleTimeline& timeline) {
  const int64_t steps = world.run().training().steps();
  ASSIGN_OR_RETURN(
      const ScheduleFunction own,
      ScheduleFunction::Create(world.run().schedules().temperature(), ScheduleKind::kTemperature));
  auto [low, high] = own.Bounds(steps);
  for (int64_t step = 0; step < steps; ++step) {
    const double temperature = timeline.At(step).temperature;
    low = std::min(low, temperature);
    high = std::max(high, temperature);
  }
  return std::pair(low, high);
}

// Whether an example is asked about in the same view again.
bool LabelsComeAgain(const v1::RunConfig& run) {
  return !run.labels().exact() && (!Augments(run.view()) || run.view().views_per_example() > 0);
}

}  // namespace

SessionLabels::SessionLabels(const SessionTools& tools, WorldControl& control, const DataSet& data)
    : tools_(tools), control_(control), data_(data), world_(control.world()), run_(world_.run()) {}

absl::Status SessionLabels::OpenSets() {
  for (const v1::TeacherConfig& teacher : run_.teachers()) {
    if (!IsRecorded(teacher)) continue;
    const std::string& directory = teacher.recorded_labels();
    const std::string what = absl::StrCat("label set ", directory);
    if (teacher.outputs_size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " holds one output, and teacher ", teacher.role(), " has several"));
    }
    LabelSetIdentity asked = LabelSetOf(run_, world_.data_set(), world_.seed(),
                                        teacher.outputs(0).name(), data_.size(v1::TRAIN));
    asked.fingerprint = control_.teacher_fingerprints()[teacher.role()];
    if (asked.fingerprint.empty()) {
      const auto manifest = ReadLabelSetManifest(*tools_.files, directory);
      if (!manifest.ok()) return Annotate(manifest.status(), what);
      asked.fingerprint = manifest->identity.fingerprint;
      control_.SetTeacherFingerprint(teacher.role(), asked.fingerprint);
    }
    auto reader = LabelSetReader::Open(tools_.files, directory, asked, {});
    if (!reader.ok()) return Annotate(reader.status(), what);
    sets_[teacher.role()] = *std::move(reader);
  }
  return absl::OkStatus();
}

absl::Status SessionLabels::Start(int rank, int64_t first_step) {
  rank_ = rank;
  first_step_ = first_step;
  for (const v1::TeacherConfig& teacher : run_.teachers()) {
    RETURN_IF_ERROR(IsRecorded(teacher) ? StartRecorded(teacher) : StartLive(teacher));
  }
  return absl::OkStatus();
}

absl::Status SessionLabels::StartRecorded(const v1::TeacherConfig& teacher) {
  ASSIGN_OR_RETURN(Order order, OrderOfRun());
  RecordedLabelsOptions options;
  options.first_step = first_step_;
  options.end_step = run_.training().steps();
  options.window_steps = static_cast<int>(run_.labels().window_steps());
  const std::shared_ptr<LabelSetReader>& set = sets_.at(teacher.role());
  by_role_[teacher.role()] = RecordedLabels::Create(
      options, set, RowsOfSlices(std::move(order), rank_, world_.members_size(), set->identity()),
      tools_.reading_executor);
  return absl::OkStatus();
}

absl::Status SessionLabels::StartLive(const v1::TeacherConfig& teacher) {
  ASSIGN_OR_RETURN(const auto timeline, control_.WaitForGrant(-1, absl::ZeroDuration()));
  ASSIGN_OR_RETURN(const auto temperatures, TemperatureRange(world_, *timeline));
  const auto [low, high] = temperatures;
  const v1::TeacherFleet* fleet = nullptr;
  for (const v1::TeacherFleet& candidate : world_.teachers()) {
    if (candidate.role() == teacher.role()) fleet = &candidate;
  }
  if (fleet == nullptr) {
    return absl::InternalError(absl::StrCat("no fleet for teacher role ", teacher.role()));
  }
  LabelClientOptions options;
  options.source.first_step = first_step_;
  options.source.end_step = run_.training().steps();
  options.source.window_steps = static_cast<int>(run_.labels().window_steps());
  options.source.exact = run_.labels().exact();
  options.source.request_timeout = absl::Seconds(run_.labels().request_timeout_seconds());
  options.transport = tools_.transport;
  options.heads = tools_.heads;
  options.by_example = LabelsComeAgain(run_);
  options.rows = run_.training().global_batch_size() / world_.members_size();
  v1::Open& open = options.open;
  open.set_run_id(world_.run_id());
  open.set_student(tools_.worker);
  open.set_model(fleet->model());
  open.set_fingerprint(fleet->fingerprint());
  *open.mutable_outputs() = teacher.outputs();
  *open.mutable_codecs() = run_.labels().codecs();
  open.set_min_temperature(low);
  open.set_max_temperature(high);
  open.set_exact(run_.labels().exact());
  if (run_.labels().has_share()) open.set_share(run_.labels().share());
  open.set_classes(data_.classes());
  for (const int64_t dim : data_.example_dims()) open.add_example_dims(dim);
  ASSIGN_OR_RETURN(options.examples_of, ExamplesOf());
  auto client = LabelClient::Create(options, tools_.label_executor, tools_.timers, tools_.clock,
                                    tools_.random);
  clients_[fleet->model()].push_back(client);
  by_role_[teacher.role()] = std::move(client);
  return absl::OkStatus();
}

void SessionLabels::SetEndpoints(const v1::TeacherEndpoints& teachers) {
  const auto clients = clients_.find(teachers.model());
  if (clients == clients_.end()) return;
  std::vector<TeacherEndpoint> endpoints;
  for (const v1::TeacherEndpoints::Endpoint& endpoint : teachers.endpoints()) {
    endpoints.push_back({endpoint.worker(), endpoint.incarnation(), endpoint.address()});
  }
  for (const auto& client : clients->second) client->SetEndpoints(endpoints);
}

void SessionLabels::Close(const absl::Status& reason) {
  for (const auto& [role, labels] : by_role_) labels->Close(reason);
}

absl::StatusOr<Order> SessionLabels::OrderOfRun() const {
  ASSIGN_OR_RETURN(const RunExamples examples,
                   ExamplesOfRun(run_, data_.labels(v1::TRAIN), data_.classes(), world_.seed()));
  return Order::Create(examples.order);
}

absl::StatusOr<std::function<absl::StatusOr<v1::ExampleRefs>(int64_t)>> SessionLabels::ExamplesOf()
    const {
  ASSIGN_OR_RETURN(Order made, OrderOfRun());
  const auto order = std::make_shared<Order>(std::move(made));
  v1::ExampleRefs base;
  base.set_data_set_digest(DataSetDigest(world_.data_set()));
  base.set_split(v1::TRAIN);
  *base.mutable_view_spec() = run_.view();
  base.set_view_spec_digest(ViewSpecDigest(run_.view()));
  const int rank = rank_;
  const int size = world_.members_size();
  return [order, base, rank, size](int64_t step) -> absl::StatusOr<v1::ExampleRefs> {
    ASSIGN_OR_RETURN(const std::vector<ExampleView> slice, order->Slice(step, rank, size));
    v1::ExampleRefs refs = base;
    bool augmented = false;
    for (const ExampleView& view : slice) {
      refs.add_ids(view.example_id);
      refs.add_view_seeds(view.view_seed);
      augmented = augmented || view.view_seed != 0;
    }
    if (!augmented) refs.clear_view_seeds();
    return refs;
  };
}

}  // namespace distill
