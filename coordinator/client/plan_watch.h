// Follows a plan through the coordinator's WatchPlan.
#ifndef COORDINATOR_CLIENT_PLAN_WATCH_H_
#define COORDINATOR_CLIENT_PLAN_WATCH_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/transport.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Thread-safe. The callbacks run on a thread of the watch, one at a time.
class PlanWatch {
 public:
  // `on_status` with each status, `on_end` once: OK when the plan has ended, otherwise
  // why nothing more is heard. Errors as ValidateTransport.
  static absl::StatusOr<std::unique_ptr<PlanWatch>> Start(
      const std::string& coordinator, const TransportOptions& transport,
      std::function<void(const v1::PlanStatus&)> on_status,
      std::function<void(const absl::Status&)> on_end);
  // Ends the watch; no callback runs once it has returned.
  ~PlanWatch();

 private:
  class Impl;
  explicit PlanWatch(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_PLAN_WATCH_H_
