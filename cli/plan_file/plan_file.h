// A plan as the user wrote it, made ready to submit.
#ifndef CLI_PLAN_FILE_PLAN_FILE_H_
#define CLI_PLAN_FILE_PLAN_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/position_map.h"
#include "common/files/file_system.h"
#include "proto/run_config.pb.h"

namespace distill {

// Reads the YAML or JSON file at `path`, applies "field=value" settings in order and
// then the seed, fills in every default, makes paths of data files absolute (they are
// relative to the file's folder, and a relative `path` to `working_directory`), and checks
// the whole.
//   NOT_FOUND and other errors of FileSystem: the file cannot be read
//   INVALID_ARGUMENT: all problems, one a line, "file:line:column: field: message"
absl::StatusOr<v1::PlanConfig> ReadPlan(FileSystem& files, const std::string& path,
                                        const std::vector<std::string>& settings,
                                        std::optional<uint64_t> seed,
                                        const std::string& working_directory = "");

// The same, with where each value was written: "file:line:column", "--set field=value" or
// "--seed". A field that is not in `origins` has its default.
struct PlanWithOrigins {
  v1::PlanConfig plan;
  PositionMap origins;
};
absl::StatusOr<PlanWithOrigins> ReadPlanWithOrigins(FileSystem& files, const std::string& path,
                                                    const std::vector<std::string>& settings,
                                                    std::optional<uint64_t> seed,
                                                    const std::string& working_directory = "");

// What a coordinator does with a plan that was sent to it: defaults filled in, and the
// whole checked. INVALID_ARGUMENT: all problems, one a line, "field: message".
absl::StatusOr<v1::PlanConfig> ResolveAndCheckPlan(const v1::PlanConfig& plan);

}  // namespace distill

#endif  // CLI_PLAN_FILE_PLAN_FILE_H_
