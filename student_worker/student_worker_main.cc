#include "cli/process/main.h"
#include "distillation/models/torch_version.h"
#include "student_worker/student_process.h"

int main(int argc, char** argv) {
  return distill::ProcessMain(distill::ProcessKind::kStudentWorker, argc, argv,
                              distill::RunStudentWorker, distill::TorchVersion());
}
