#include "cli/process/main.h"
#include "coordinator/coordinator_process.h"

int main(int argc, char** argv) {
  return distill::ProcessMain(distill::ProcessKind::kCoordinator, argc, argv,
                              distill::RunCoordinator);
}
