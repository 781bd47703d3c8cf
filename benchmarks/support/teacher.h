// A teacher server inside the benchmark's process: the real service on a port of its own,
// around any runner. Its examples are numbered, all alike, and of the shape that the
// runner takes: BenchModel's is tiny, so that reading them costs nothing.
#ifndef BENCHMARKS_SUPPORT_TEACHER_H_
#define BENCHMARKS_SUPPORT_TEACHER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/server.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/teacher_service.h"

namespace distill {

// Gives every batch the same logits at once, without computing anything.
class NopRunner final : public Runner {
 public:
  NopRunner(ModelDescription description, int64_t max_rows);

  const ModelDescription& description() const override { return description_; }
  int max_in_flight() const override { return 2; }
  void Start(InferenceBatch batch, Done done) override;

 private:
  const ModelDescription description_;
  const std::shared_ptr<const std::vector<float>> logits_;
};

// As NopRunner, but a batch takes `per_row` times its rows: a device that does one after
// the other and uses no processor of this machine.
class WaitingRunner final : public Runner {
 public:
  WaitingRunner(ModelDescription description, int64_t max_rows, absl::Duration per_row,
                Clock* clock);
  ~WaitingRunner() override;

  const ModelDescription& description() const override { return answers_.description(); }
  int max_in_flight() const override { return answers_.max_in_flight(); }
  void Start(InferenceBatch batch, Done done) override;

 private:
  NopRunner answers_;
  const absl::Duration per_row_;
  Clock* const clock_;
  ThreadTimerQueue timers_;
  absl::Mutex mu_;
  // When the device has done all that was started.
  absl::Duration free_at_ ABSL_GUARDED_BY(mu_);
};

// What benchmarks describe: one output "logits" over `classes`.
ModelDescription BenchModel(int64_t classes, std::vector<int64_t> example_dims = {1, 2});

class BenchTeacher {
 public:
  static constexpr int64_t kExamples = 8192;

  // The server is up when it returns. The observer and the cache outlive it and may be null.
  // Errors as RpcServer::Start.
  static absl::StatusOr<std::unique_ptr<BenchTeacher>> Start(std::shared_ptr<Runner> runner,
                                                             int64_t max_batch_examples,
                                                             Clock* clock,
                                                             ServingObserver* observer = nullptr,
                                                             LabelCache* cache = nullptr,
                                                             const LabelStreamOptions& stream = {});
  ~BenchTeacher();

  const std::string& address() const { return rpc_->address(); }

  // What a student opens and asks.
  static v1::Open OpenFor(const ModelDescription& model, const std::string& codec);
  static v1::Ask Ask(uint64_t request_id, int64_t rows);

 private:
  BenchTeacher(const LabelStreamOptions& stream, Clock* clock, ServingObserver* observer,
               LabelCache* cache);

  ThreadExecutor control_{{.name = "control", .threads = 1, .max_queued = 16384}};
  ThreadTimerQueue timers_;
  LabelServer server_;
  TeacherServiceImpl service_{&server_};
  std::unique_ptr<RpcServer> rpc_;
};

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_TEACHER_H_
