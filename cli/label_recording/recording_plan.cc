#include "cli/label_recording/recording_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/nearest_name.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/run_label_set.h"
#include "distillation/models/export/export.h"
#include "distillation/models/export/manifest.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

// Several parts wait in memory until they are complete.
constexpr uint64_t kPartBytes = uint64_t{32} << 20;
constexpr uint64_t kMostPartBlocks = 64;

template <typename Messages>
auto FindNamed(const Messages& messages, const std::string& name) -> decltype(&messages[0]) {
  for (const auto& message : messages) {
    if (message.name() == name) return &message;
  }
  return nullptr;
}

template <typename Messages>
std::vector<std::string> Names(const Messages& messages) {
  std::vector<std::string> names;
  for (const auto& message : messages) names.push_back(message.name());
  return names;
}

absl::StatusOr<const v1::TeacherConfig*> FindTeacher(const v1::RunConfig& run,
                                                     const std::string& role) {
  if (run.teachers_size() == 1 && role.empty()) return &run.teachers(0);
  for (const v1::TeacherConfig& teacher : run.teachers()) {
    if (teacher.role() == role) return &teacher;
  }
  const std::string roles = absl::StrJoin(
      run.teachers(), ", ", [](std::string* out, const auto& teacher) { *out += teacher.role(); });
  if (run.teachers().empty()) {
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           "run '", run.name(), "' has no teacher; name another one with --run")),
                       ErrorId::kNoSuchTeacher);
  }
  return WithErrorId(
      absl::InvalidArgumentError(
          role.empty() ? absl::StrCat("run '", run.name(), "' has several teachers; choose one of ",
                                      roles, " with --role")
                       : absl::StrCat("run '", run.name(), "' has no teacher in the role '", role,
                                      "'; it has ", roles)),
      ErrorId::kNoSuchTeacher);
}

// The first that a set can hold, in the run's order of preference.
absl::StatusOr<std::string> CodecOf(const v1::RunConfig& run) {
  for (const std::string& codec : run.labels().codecs()) {
    if (FindLabelSetCodec(codec).ok()) return codec;
  }
  return WithErrorId(
      absl::UnimplementedError(
          absl::StrCat("a label set holds labels of all classes, and run '", run.name(),
                       "' names none of the codecs for them; add dense_fp16 to its labels.codecs")),
      ErrorId::kPlanDoesNotHold);
}

v1::Open OpenOf(const RecordingPlan& plan, const v1::TeacherConfig& teacher,
                const v1::ExportManifest& manifest) {
  v1::Open open;
  open.set_run_id("label");
  open.set_student("distillctl");
  open.set_model(teacher.run());
  open.set_fingerprint(manifest.fingerprint());
  *open.add_outputs() = teacher.outputs(0);
  open.add_codecs(plan.identity.codec);
  open.set_min_temperature(1);
  open.set_max_temperature(1);
  open.set_exact(true);
  open.set_classes(manifest.classes());
  *open.mutable_example_dims() = manifest.example_dims();
  return open;
}

}  // namespace

absl::StatusOr<RecordingPlan> PlanRecording(FileSystem& files, const v1::PlanConfig& plan,
                                            const RecordingRequest& request) {
  const v1::RunConfig* run = FindNamed(plan.runs(), request.run);
  if (run == nullptr) {
    return WithErrorId(
        absl::InvalidArgumentError(absl::StrCat("the plan has no run '", request.run, "'",
                                                SuggestName(request.run, Names(plan.runs())))),
        ErrorId::kNoSuchRun);
  }
  ASSIGN_OR_RETURN(const v1::TeacherConfig* teacher, FindTeacher(*run, request.role));
  if (teacher->run().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("teacher '", teacher->role(), "' of run '",
                                                   run->name(), "' names no run to record from"));
  }
  if (teacher->outputs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a label set holds one output, and teacher '", teacher->role(), "' has ",
                     teacher->outputs_size(), "; give each a role of its own"));
  }
  RETURN_IF_ERROR(Annotate(CheckCanBeRecorded(run->view()), absl::StrCat("run ", run->name())));
  const uint32_t at_most = plan.serving().max_batch_examples();
  if (request.block_rows == 0 || request.block_rows > at_most) {
    return WithErrorId(
        absl::InvalidArgumentError(absl::StrCat(
            "--block-rows ", request.block_rows, ": a block is one request to a teacher ",
            "server, which takes 1 to ", at_most, " (serving.max_batch_examples)")),
        ErrorId::kBadArgument);
  }
  const v1::DataSetConfig* data_set = FindNamed(plan.data_sets(), run->data_set());
  const std::string folder = JoinPath(JoinPath(request.run_dir, teacher->run()), "export");
  const auto manifest = ReadExportManifest(files, folder);
  if (absl::IsNotFound(manifest.status())) {
    return WithErrorId(
        absl::NotFoundError(absl::StrCat(
            "there is no finished run '", teacher->run(), "' in ", request.run_dir, ": ",
            std::string(manifest.status().message()), "; train the teacher first: distillctl run")),
        ErrorId::kNoExport);
  }
  RETURN_IF_ERROR(manifest.status());
  ASSIGN_OR_RETURN(const auto data, DataSet::Load(files, *data_set, DataSet::Files::kTraining));
  RETURN_IF_ERROR(Annotate(CheckFits(*manifest, data->classes(), data->example_dims()), folder));

  RecordingPlan recording;
  LabelSetIdentity& identity = recording.identity;
  identity =
      LabelSetOf(*run, *data_set, plan.seed(), teacher->outputs(0).name(), data->size(v1::TRAIN));
  identity.fingerprint = manifest->fingerprint();
  ASSIGN_OR_RETURN(identity.codec, CodecOf(*run));
  identity.block_rows = request.block_rows;
  const uint64_t block_bytes = request.block_rows * identity.classes * sizeof(float);
  identity.part_blocks = static_cast<uint32_t>(
      std::clamp<uint64_t>(kPartBytes / std::max<uint64_t>(1, block_bytes), 1, kMostPartBlocks));
  recording.view = run->view();
  recording.open = OpenOf(recording, *teacher, *manifest);
  recording.order.set_model(teacher->run());
  recording.order.set_fingerprint(manifest->fingerprint());
  *recording.order.mutable_data_set() = *data_set;
  recording.order.set_data_set_digest(DataSetDigest(*data_set));
  *recording.order.mutable_serving() = plan.serving();
  return recording;
}

}  // namespace distill
