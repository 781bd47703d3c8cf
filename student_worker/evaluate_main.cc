// evaluate: measures a plan's exports in another process than the one that trained.
#include "student_worker/evaluate_process.h"

int main(int argc, char** argv) { return distill::EvaluateMain(argc, argv); }
