// One Label stream to one teacher server, whatever carries it: LabelChannel over gRPC, a fake
// in tests.
#ifndef TEACHER_SERVER_CLIENT_LABEL_CALLS_H_
#define TEACHER_SERVER_CLIENT_LABEL_CALLS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/bytes/byte_slices.h"
#include "proto/teacher.pb.h"
#include "teacher_server/client/answer_assembler.h"

namespace distill {

// Called on the stream's threads, one at a time, never under a lock; must return soon. A
// null function is not called.
struct LabelChannelEvents {
  std::function<void(const v1::Opened&)> opened;
  // Terminal answers: one of these two for every ask, unless `closed` comes first.
  std::function<void(uint64_t request_id, std::shared_ptr<const ReceivedLabels>)> answered;
  std::function<void(uint64_t request_id, const absl::Status&, absl::Duration retry_after)> failed;
  // Asks are refused from here on; those asked before are answered.
  std::function<void(const std::string& reason)> draining;
  // Last, exactly once, with the server's address in the message. OK: drained to the
  // end. DATA_LOSS: what came was damaged or not of this protocol: distrust the server.
  // Otherwise as in teacher.proto. Everything unanswered may be asked elsewhere.
  std::function<void(const absl::Status&)> closed;
};

// Thread-safe. Lives until `closed` has returned, whoever lets go of it.
class LabelCalls {
 public:
  virtual ~LabelCalls() = default;

  // After `opened`. Crashes beyond the stream's request credit of asks without a terminal
  // event, and for an id that is unanswered. Dropped once the stream has ended. `tensors` are
  // the elements of the ask's tensor bundle; they are not copied, and must not change until
  // their owner is let go of.
  virtual void Ask(v1::Ask ask, ByteSlices tensors) = 0;
  // The ask still gets its terminal event. Ids that are unknown or answered are passed over.
  virtual void Cancel(uint64_t request_id) = 0;
  // `closed` follows, with CANCELLED; other events stop, but for one under way.
  virtual void Close() = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CLIENT_LABEL_CALLS_H_
