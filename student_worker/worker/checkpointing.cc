#include "student_worker/worker/checkpointing.h"

#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/export/export.h"
#include "distillation/run_config/digests.h"
#include "student_worker/training/verify_export.h"

namespace distill {
namespace {

// What the ranks tell one another of their parts: exact in doubles.
absl::StatusOr<std::vector<v1::FilePart>> ExchangeParts(Collectives& collectives,
                                                        const absl::StatusOr<v1::FilePart>& own) {
  const int size = collectives.size();
  const int rank = collectives.rank();
  std::vector<double> sums(2 * size + 1, 0);
  if (own.ok()) {
    sums[2 * rank] = static_cast<double>(own->bytes());
    sums[2 * rank + 1] = own->crc32c();
  } else {
    sums[2 * size] = 1;
  }
  RETURN_IF_ERROR(collectives.AllReduceSum(std::span<double>(sums)));
  if (!own.ok()) return own.status();
  if (sums[2 * size] != 0) {
    // That rank says why; this one waits for what the coordinator decides.
    return absl::AbortedError("another rank could not write its part of the checkpoint");
  }
  std::vector<v1::FilePart> parts(size);
  for (int i = 0; i < size; ++i) {
    parts[i].set_name(absl::StrCat("rank-", i, ".safetensors"));
    parts[i].set_rank(i);
    parts[i].set_bytes(static_cast<uint64_t>(sums[2 * i]));
    parts[i].set_crc32c(static_cast<uint32_t>(sums[2 * i + 1]));
  }
  return parts;
}

v1::CheckpointManifest ManifestOf(const WorldControl& control, int64_t step) {
  const v1::World& world = control.world();
  const CheckpointExpectation expected = ExpectationOf(control);
  v1::CheckpointManifest manifest;
  manifest.set_run_id(world.run_id());
  manifest.set_step(step);
  manifest.set_generation(world.generation());
  manifest.set_fence(control.fence());
  manifest.set_world_size(expected.world_size);
  if (!world.schedules().empty()) {
    manifest.set_schedule_version(world.schedules().rbegin()->version());
  }
  for (const auto& [role, fingerprint] : expected.teachers) {
    v1::CheckpointManifest::TeacherFingerprint* teacher = manifest.add_teachers();
    teacher->set_role(role);
    teacher->set_fingerprint(fingerprint);
  }
  manifest.set_data_set_digest(expected.data_set_digest);
  manifest.set_view_spec_digest(expected.view_spec_digest);
  manifest.set_config_digest(expected.config_digest);
  return manifest;
}

absl::Status Commit(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                    int64_t step, const v1::FilePart& shared,
                    const std::vector<v1::FilePart>& parts) {
  const v1::World& world = control.world();
  v1::CheckpointManifest manifest = ManifestOf(control, step);
  *manifest.add_files() = shared;
  for (const v1::FilePart& part : parts) *manifest.add_files() = part;
  for (const uint64_t bytes : trainer.GradientBucketBytes()) {
    manifest.add_gradient_bucket_bytes(bytes);
  }
  ASSIGN_OR_RETURN(const v1::CheckpointRef ref,
                   WriteCheckpointManifest(*tools.files, tools.run_dir, std::move(manifest)));
  v1::CommitCheckpointRequest request;
  request.set_fence(control.fence());
  *request.mutable_checkpoint() = ref;
  ASSIGN_OR_RETURN(const v1::CommitCheckpointResponse response,
                   tools.coordinator->CommitCheckpoint(request));
  const std::string mine = absl::StrCat(world.run_id(), "/checkpoints/step-");
  for (const std::string& path : response.obsolete_paths()) {
    // What comes over the wire removes nothing but checkpoints of this run.
    if (path.rfind(mine, 0) != 0 || path.find("..") != std::string::npos) continue;
    // The new checkpoint is committed; what cannot be removed now is named again with the
    // next one.
    tools.files->RemoveTree(JoinPath(tools.run_dir, path)).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status ExportModel(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                         const DataSet& data) {
  const v1::World& world = control.world();
  v1::ExportManifest manifest;
  trainer.DescribeModel(manifest);
  for (const int64_t dim : data.example_dims()) manifest.add_example_dims(dim);
  manifest.set_classes(data.classes());
  manifest.set_scale(world.data_set().scale());
  manifest.set_mean(world.data_set().mean());
  manifest.set_deviation(world.data_set().deviation());
  manifest.set_run_id(world.run_id());
  manifest.set_config_digest(RunConfigDigest(world.run(), world.seed()));
  manifest.set_steps(world.run().training().steps());
  manifest.set_seed(world.seed());
  ASSIGN_OR_RETURN(const ExportCheck check, trainer.MakeExportCheck());
  ASSIGN_OR_RETURN(const auto tensors, trainer.ModelTensors());
  ASSIGN_OR_RETURN(const std::string program, trainer.ModelProgram());
  const std::string path = absl::StrCat(world.run_id(), "/export");
  const std::string folder = JoinPath(tools.run_dir, path);
  ASSIGN_OR_RETURN(manifest, WriteExport(*tools.files, folder, manifest, tensors, check, program));
  ASSIGN_OR_RETURN(const Export written, ReadExport(*tools.files, folder));
  RETURN_IF_ERROR(Annotate(VerifyExport(written, tools.programs), folder));
  v1::FinishRunRequest request;
  request.set_fence(control.fence());
  request.set_generation(world.generation());
  request.set_run_id(world.run_id());
  request.set_export_path(path);
  request.set_fingerprint(manifest.fingerprint());
  return tools.coordinator->FinishRun(request);
}

}  // namespace

CheckpointExpectation ExpectationOf(const WorldControl& control) {
  const v1::World& world = control.world();
  CheckpointExpectation expected;
  expected.config_digest = RunConfigDigest(world.run(), world.seed());
  expected.data_set_digest = DataSetDigest(world.data_set());
  expected.view_spec_digest = ViewSpecDigest(world.run().view());
  expected.world_size = world.run().training().world_size();
  expected.teachers = control.teacher_fingerprints();
  return expected;
}

absl::Status SaveCheckpoint(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                            Collectives& collectives, int64_t step) {
  RETURN_IF_ERROR(trainer.AgreeWithOtherRanks());
  const v1::World& world = control.world();
  const std::string folder = CheckpointFolder(world.run_id(), step, world.generation());
  const bool first = collectives.rank() == 0;
  v1::FilePart shared;
  const auto write = [&]() -> absl::StatusOr<v1::FilePart> {
    if (first) {
      ASSIGN_OR_RETURN(const Safetensors state, trainer.SharedState(step));
      ASSIGN_OR_RETURN(
          shared, WriteCheckpointPart(*tools.files, tools.run_dir, folder, kSharedPart, state));
    }
    ASSIGN_OR_RETURN(const Safetensors own, trainer.RankState(step));
    return WriteCheckpointPart(*tools.files, tools.run_dir, folder, collectives.rank(), own);
  };
  const auto parts = ExchangeParts(collectives, write());
  const std::string what = absl::StrCat("checkpoint of run ", world.run_id(), " at step ", step);
  if (!parts.ok()) return Annotate(parts.status(), what);
  if (!first) return absl::OkStatus();
  return Annotate(Commit(tools, control, trainer, step, shared, *parts), what);
}

absl::Status FinishWithExport(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                              Collectives& collectives, const DataSet& data) {
  RETURN_IF_ERROR(trainer.AgreeWithOtherRanks());
  if (collectives.rank() != 0) return absl::OkStatus();
  return Annotate(ExportModel(tools, control, trainer, data),
                  absl::StrCat("export of run ", control.world().run_id()));
}

}  // namespace distill
