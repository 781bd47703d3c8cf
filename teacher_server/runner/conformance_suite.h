// What every Runner does. An implementation instantiates the suite with a bench:
//   INSTANTIATE_TEST_SUITE_P(Model, RunnerConformanceTest, ::testing::Values(...));
#ifndef TEACHER_SERVER_RUNNER_CONFORMANCE_SUITE_H_
#define TEACHER_SERVER_RUNNER_CONFORMANCE_SUITE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "teacher_server/runner/interface.h"

namespace distill {

// A runner for examples of 3 values and 2 classes with one output, "logits", and a head.
class RunnerBench {
 public:
  virtual ~RunnerBench() = default;
  virtual Runner& runner() = 0;
  // Ends the batches that were started.
  virtual void Finish() = 0;
};

class RunnerConformanceTest
    : public ::testing::TestWithParam<std::function<std::unique_ptr<RunnerBench>()>> {};

}  // namespace distill

#endif  // TEACHER_SERVER_RUNNER_CONFORMANCE_SUITE_H_
