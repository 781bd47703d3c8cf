// The weights of a run as one number, for comparing runs.
#ifndef CLI_COMMANDS_MODEL_DIGEST_H_
#define CLI_COMMANDS_MODEL_DIGEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"

namespace distill {

// SHA-256 (hex) over names, element types, shapes and bytes of parameters and buffers:
// of RUN_DIR/<run>/export, or where there is none yet of the newest whole checkpoint. Of an
// AOTInductor package that of its file.
// NOT_FOUND: the run has neither. DATA_LOSS: what there is is damaged.
absl::StatusOr<std::string> LatestModelDigest(FileSystem& files, const std::string& run_dir,
                                              const std::string& run);

}  // namespace distill

#endif  // CLI_COMMANDS_MODEL_DIGEST_H_
