// The server's end of a bidirectional stream: keeps gRPC's rule of one read, one write
// and one finish, so that users only say what to send.
#ifndef COMMON_RPC_SERVER_STREAM_H_
#define COMMON_RPC_SERVER_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/status_conversion.h"

namespace distill {

// Owned by shared_ptr; holds itself from Begin until gRPC is done with it, so users may
// keep a weak or a shared pointer. Hooks run on gRPC's threads and must return soon.
//
//   auto stream = std::make_shared<MyStream>(...);
//   return stream->Begin();           // in the handler
//   stream->Wake();                   // later, any thread: NextToWrite has something
//   stream->End(status);              // any thread: finish once NextToWrite is empty
//   stream->Handled();                // any thread: a message of OnMessage is done with
//
// With `max_unhandled` above 0 so many messages at most have been given to OnMessage and
// are not yet Handled; the next is read only then, and HTTP/2 flow control holds back
// the peer. A user that queues messages elsewhere so bounds what one peer may queue.
//
// The trap: a peer that does not read holds a write back for ever; bound what
// NextToWrite draws from, and rely on the server's shutdown deadline.
template <typename Request, typename Response>
class ServerStream : public grpc::ServerBidiReactor<Request, Response>,
                     public std::enable_shared_from_this<ServerStream<Request, Response>> {
 public:
  // 0: messages are handled within OnMessage, and Handled is not called.
  explicit ServerStream(int max_unhandled = 0) : max_unhandled_(max_unhandled) {}

  grpc::ServerBidiReactor<Request, Response>* Begin() {
    {
      absl::MutexLock lock(&mu_);
      self_ = this->shared_from_this();
    }
    this->StartRead(&in_);
    return this;
  }

  // Thread-safe.
  void Wake() ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      if (writing_) {
        woken_ = true;
        return;
      }
      writing_ = true;
    }
    Pump();
  }

  // The first status counts. Thread-safe.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      if (!end_.has_value()) end_ = status;
    }
    Wake();
  }

  // Once for each message that OnMessage got. Thread-safe, also within OnMessage.
  void Handled() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    --unhandled_;
    if (!read_withheld_ || finishing_) return;
    read_withheld_ = false;
    // Under the lock, so that the call is not over; gRPC runs no hook inside StartRead.
    this->StartRead(&in_);
  }

 protected:
  // One at a time, in order.
  virtual void OnMessage(Request message) = 0;
  // One at a time; not under a lock.
  virtual std::optional<Response> NextToWrite() = 0;
  // The peer has sent its last message, or is gone: usually calls End.
  virtual void OnPeerDone() = 0;
  // The last hook.
  virtual void OnEnded() = 0;

  // Messages that OnMessage got and that are not Handled; none are counted without a bound.
  int unhandled() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return unhandled_;
  }

 private:
  // Whoever set writing_ runs this; it clears writing_ or leaves it to the write.
  void Pump() {
    while (true) {
      if (!Broken()) {
        if (std::optional<Response> next = NextToWrite(); next.has_value()) {
          out_ = *std::move(next);
          this->StartWrite(&out_);
          return;
        }
      }
      std::optional<absl::Status> end;
      {
        absl::MutexLock lock(&mu_);
        if (woken_) {
          woken_ = false;
          continue;
        }
        if (!end_.has_value()) {
          writing_ = false;
          return;
        }
        // writing_ stays set: nothing is started after Finish.
        end = end_;
        finishing_ = true;
      }
      this->Finish(ToGrpcStatus(*end));
      return;
    }
  }

  bool Broken() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return broken_;
  }

  void OnReadDone(bool ok) final {
    if (!ok) {
      OnPeerDone();
      return;
    }
    if (max_unhandled_ > 0) {
      absl::MutexLock lock(&mu_);
      ++unhandled_;
    }
    OnMessage(std::move(in_));
    in_ = Request();
    {
      absl::MutexLock lock(&mu_);
      read_withheld_ = max_unhandled_ > 0 && unhandled_ >= max_unhandled_;
      if (read_withheld_) return;
    }
    this->StartRead(&in_);
  }

  void OnWriteDone(bool ok) final {
    // What it holds may be large, and the next write far away.
    out_ = Response();
    if (!ok) {
      absl::MutexLock lock(&mu_);
      broken_ = true;
      if (!end_.has_value()) end_ = absl::UnavailableError("the peer is gone");
    }
    Pump();
  }

  void OnCancel() final { End(absl::CancelledError("the call was cancelled")); }

  void OnDone() final {
    OnEnded();
    std::shared_ptr<ServerStream> self;
    {
      absl::MutexLock lock(&mu_);
      self = std::move(self_);
    }
  }

  const int max_unhandled_;
  // Of the read and the write under way; gRPC's meanwhile.
  Request in_;
  Response out_;

  absl::Mutex mu_;
  std::shared_ptr<ServerStream> self_ ABSL_GUARDED_BY(mu_);
  // A write or its preparation is under way; set for ever by Finish.
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  int unhandled_ ABSL_GUARDED_BY(mu_) = 0;
  // The next read waits for Handled.
  bool read_withheld_ ABSL_GUARDED_BY(mu_) = false;
  // Finish may have been called: the call may end at any time.
  bool finishing_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace distill

#endif  // COMMON_RPC_SERVER_STREAM_H_
