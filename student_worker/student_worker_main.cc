#include "cli/process/main.h"
#include "distillation/models/package_model.h"
#include "distillation/models/torch_version.h"
#include "student_worker/student_process.h"

int main(int argc, char** argv) {
  distill::CheckPackageInputs();
  return distill::ProcessMain(distill::ProcessKind::kStudentWorker, argc, argv,
                              distill::RunStudentWorker, distill::TorchVersion());
}
