// Writes TorchScript modules for tests of whole processes: `write_script_modules FOLDER` makes
// mlp.pt, which reads 784 values, and conv_net.pt, which reads [1, 28, 28]. Both know ten classes.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "distillation/models/model.h"
#include "distillation/models/script_modules.h"

namespace distill {
namespace {

constexpr int64_t kClasses = 10;

absl::Status WriteModules(const std::string& folder) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  config.add_widths(32);
  ASSIGN_OR_RETURN(const auto mlp,
                   Model::Create(config, std::vector<int64_t>{784}, kClasses, /*seed=*/1));
  ASSIGN_OR_RETURN(const auto tensors, mlp->Tensors());
  PosixFileSystem files;
  RETURN_IF_ERROR(files.MakeDirectories(folder));
  RETURN_IF_ERROR(files.Write(JoinPath(folder, "mlp.pt"), MlpScript(tensors)));
  return files.Write(JoinPath(folder, "conv_net.pt"), ConvNetScript(kClasses, /*seed=*/1));
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  const absl::Status status =
      argc == 2 ? distill::WriteModules(argv[1]) : absl::InvalidArgumentError("give one folder");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
