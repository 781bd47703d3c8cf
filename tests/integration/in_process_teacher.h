// A teacher server in the test's own process, behind a real port.
#ifndef TESTS_INTEGRATION_IN_PROCESS_TEACHER_H_
#define TESTS_INTEGRATION_IN_PROCESS_TEACHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/server.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/teacher_service.h"

namespace distill {

struct InProcessTeacherOptions {
  FakeRunner::Mode mode = FakeRunner::Mode::kAtOnce;
  std::string fingerprint = "f00d";
  std::string numerics_class = "test";
  std::vector<std::string> codecs = {"dense_fp32"};
  uint32_t max_batch_examples = 16;
  // Whether its model has FakeRunner::Head.
  bool head = false;
};

// Serves "teacher" for the data set "data": kExamples examples of shape [1, 2] that are 1 and the
// id, of which the fake runner says c * (1 + id). Its destruction is its death.
class InProcessTeacher {
 public:
  static constexpr uint64_t kExamples = 100;
  static constexpr int kClasses = 5;

  explicit InProcessTeacher(const InProcessTeacherOptions& options = {});
  ~InProcessTeacher();

  const std::string& address() const { return rpc_->address(); }
  FakeRunner& runner() { return *runner_; }
  void Drain();

 private:
  SystemClock clock_;
  ThreadExecutor control_{{.name = "control", .threads = 1, .max_queued = 1024}};
  ThreadTimerQueue timers_{&clock_};
  std::shared_ptr<FakeRunner> runner_;
  LabelServer server_{{}, &control_, &timers_, &clock_, nullptr};
  TeacherServiceImpl service_{&server_};
  std::unique_ptr<RpcServer> rpc_;
};

}  // namespace distill

#endif  // TESTS_INTEGRATION_IN_PROCESS_TEACHER_H_
