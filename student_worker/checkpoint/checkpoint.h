// Checkpoints of a run on disk. What a committed checkpoint at step s holds is
// exactly the examples of steps < s, each once.
//
//   DIR/<run>/checkpoints/step-000400-g3/
//     shared.safetensors    written by rank 0: parameters, buffers, optimiser
//     rank-0.safetensors    written by each rank: what differs between ranks
//     manifest.json         renamed into place last: without it, no checkpoint
//
// Every rank writes its part and syncs it; rank 0 learns the parts' sizes and
// checksums, writes the manifest, and only then asks the coordinator to commit.
// A folder is never written again under another generation, so a rank of a dead
// world cannot spoil one of the living.
#ifndef STUDENT_WORKER_CHECKPOINT_CHECKPOINT_H_
#define STUDENT_WORKER_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/safetensors/safetensors.h"
#include "proto/checkpoint.pb.h"
#include "proto/types.pb.h"

namespace distill {

inline constexpr uint32_t kCheckpointFormatVersion = 1;
// FilePart.rank of the part that all ranks share.
inline constexpr int32_t kSharedPart = -1;

// "distilled/checkpoints/step-000400-g3", below the run directory.
std::string CheckpointFolder(const std::string& run_id, int64_t step, uint64_t generation);

// Writes one part, durably, and says what the manifest has to hold of it. `rank` is
// kSharedPart or the writer's. Errors of FileSystem (RESOURCE_EXHAUSTED: the disk is
// full) and of SerializeSafetensors; the folder is then not a checkpoint, and the
// former ones are untouched.
absl::StatusOr<v1::FilePart> WriteCheckpointPart(FileSystem& files, const std::string& run_dir,
                                                 const std::string& folder, int32_t rank,
                                                 const Safetensors& contents);

// The last step of writing: makes a checkpoint of a folder whose parts are durable.
// Fills in manifest.format_version. INVALID_ARGUMENT unless the manifest names the
// shared part and one part per rank.
absl::StatusOr<v1::CheckpointRef> WriteCheckpointManifest(FileSystem& files,
                                                          const std::string& run_dir,
                                                          v1::CheckpointManifest manifest);

struct Checkpoint {
  v1::CheckpointManifest manifest;
  Safetensors shared;
  Safetensors rank;
};

// What the resuming run is; a checkpoint of anything else is refused.
struct CheckpointExpectation {
  std::string config_digest;
  std::string data_set_digest;
  std::string view_spec_digest;
  uint32_t world_size = 1;
  // Role to fingerprint.
  std::map<std::string, std::string> teachers;
};

// Reads a committed checkpoint for `rank`, checking every byte it takes.
//   NOT_FOUND            the folder or a part is gone: restore it, or start anew
//   DATA_LOSS            manifest or part differ from what was committed: the same
//   FAILED_PRECONDITION  it is of another configuration, data set or teacher, or of
//                        a newer format; the message names which
absl::StatusOr<Checkpoint> ReadCheckpoint(FileSystem& files, const std::string& run_dir,
                                          const v1::CheckpointRef& ref,
                                          const CheckpointExpectation& expected, int32_t rank);

}  // namespace distill

#endif  // STUDENT_WORKER_CHECKPOINT_CHECKPOINT_H_
