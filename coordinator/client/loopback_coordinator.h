// A whole coordinator of a test's own, served over loopback, whose time the test moves.
#ifndef COORDINATOR_CLIENT_LOOPBACK_COORDINATOR_H_
#define COORDINATOR_CLIENT_LOOPBACK_COORDINATOR_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/server.h"
#include "coordinator/service/coordinator_service.h"
#include "coordinator/service/decisions/rendezvous.h"
#include "coordinator/service/driver.h"
#include "coordinator/store/memory_store.h"

namespace distill {

// Bounds every wait of these tests.
inline constexpr absl::Duration kTestPatience = absl::Seconds(20);

// A plan of one run "r" of 5 steps with one rank.
v1::SubmitPlanRequest SmallPlan(const std::string& idempotency_key);

// Journals to a disk in memory. Its timers fire on the thread that advances them, which
// has to be one thread at a time.
class LoopbackCoordinator {
 public:
  LoopbackCoordinator(std::shared_ptr<MemoryDisk> disk, FakeClock* clock, FakeTimerQueue* timers,
                      const std::string& listen = "127.0.0.1:0");
  ~LoopbackCoordinator();

  const std::string& address() const { return server_->address(); }
  Rendezvous& rendezvous() { return rendezvous_; }
  // Runs `what` on the coordinator's thread and waits for it.
  void Do(const std::function<void(Coordinator&)>& what);
  v1::MemberStatus Member(const std::string& worker);
  // How long the calls in flight take to end, at most `grace`.
  absl::Duration Shutdown(absl::Duration grace);

 private:
  MemoryStore store_;
  Rendezvous rendezvous_;
  ThreadExecutor executor_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<CoordinatorServiceImpl> service_;
  std::unique_ptr<AdminServiceImpl> admin_;
  std::unique_ptr<RpcServer> server_;
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_LOOPBACK_COORDINATOR_H_
