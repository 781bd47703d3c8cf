// evaluate: measures a plan's exports in another process than the one that trained.
#include "distillation/models/package_model.h"
#include "student_worker/evaluate_process.h"

int main(int argc, char** argv) {
  distill::CheckPackageInputs();
  return distill::EvaluateMain(argc, argv);
}
