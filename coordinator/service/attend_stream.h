// One Attend stream on the coordinator's side.
#ifndef COORDINATOR_SERVICE_ATTEND_STREAM_H_
#define COORDINATOR_SERVICE_ATTEND_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/peer_identity.h"
#include "common/rpc/server_stream.h"
#include "coordinator/service/driver.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Thread-safe. A member that does not read its directives is cut off after
// kMaxUnsent of them; it then says hello again and is told everything anew.
class AttendStream final : public ServerStream<v1::AttendReport, v1::Directive>,
                           public DirectiveSink {
 public:
  static constexpr size_t kMaxUnsent = 4096;

  AttendStream(Driver* driver, PeerIdentity peer, uint64_t session)
      : driver_(driver), peer_(std::move(peer)), session_(session) {}

  void Send(v1::Directive directive) override;
  void End(const absl::Status& status) override;

 private:
  void OnMessage(v1::AttendReport report) override;
  std::optional<v1::Directive> NextToWrite() override;
  void OnPeerDone() override;
  void OnEnded() override;

  Driver* const driver_;
  const PeerIdentity peer_;
  const uint64_t session_;
  // Of gRPC's reading thread.
  bool said_hello_ = false;

  absl::Mutex outbox_mu_;
  std::deque<v1::Directive> outbox_ ABSL_GUARDED_BY(outbox_mu_);
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_ATTEND_STREAM_H_
