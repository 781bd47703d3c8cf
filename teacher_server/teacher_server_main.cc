#include "cli/process/main.h"
#include "distillation/models/package_model.h"
#include "distillation/models/torch_version.h"
#include "teacher_server/teacher_process.h"

int main(int argc, char** argv) {
  distill::CheckPackageInputs();
  return distill::ProcessMain(distill::ProcessKind::kTeacherServer, argc, argv,
                              distill::RunTeacherServer, distill::TorchVersion());
}
