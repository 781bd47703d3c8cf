// From the coordinator's order to serve a model to a model that is served.
#ifndef TEACHER_SERVER_MODEL_LOADER_H_
#define TEACHER_SERVER_MODEL_LOADER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/executor/executor.h"
#include "common/files/file_system.h"
#include "distillation/models/model_directory.h"
#include "proto/coordinator.pb.h"
#include "teacher_server/service/label_server.h"

namespace distill {

// Loads RUN_DIR/<model>/export, its program, if it has one, from `programs`, and the training part
// of the data set. `device`, serial, and `clock` outlive what is served. Its canaries are the
// examples kept in the export; an export of a former version has none. FAILED_PRECONDITION: the
// export is not the one that the run names, or does not fit the data; else the errors of
// ReadExport, LoadModel and DataSet::Load.
absl::StatusOr<Serving> LoadServing(FileSystem& files, const std::string& run_dir,
                                    const v1::Serve& order, uint64_t incarnation, Executor* device,
                                    Clock* clock, const ModelDirectory& programs = {});

}  // namespace distill

#endif  // TEACHER_SERVER_MODEL_LOADER_H_
