// The process that measures a finished plan's exports.
#ifndef STUDENT_WORKER_EVALUATE_PROCESS_H_
#define STUDENT_WORKER_EVALUATE_PROCESS_H_

namespace distill {

// Parses the command line, writes the report, says on stderr why it could not, and returns the
// exit code.
int EvaluateMain(int argc, char** argv);

}  // namespace distill

#endif  // STUDENT_WORKER_EVALUATE_PROCESS_H_
