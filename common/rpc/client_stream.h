// The client's end of a bidirectional stream; see server_stream.h.
#ifndef COMMON_RPC_CLIENT_STREAM_H_
#define COMMON_RPC_CLIENT_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/deferred_release.h"
#include "common/rpc/status_conversion.h"

namespace distill {

// Owned by shared_ptr; holds itself from Begin until soon after OnClosed. Hooks run on
// gRPC's threads and must return soon.
//
//   auto stream = std::make_shared<MyStream>(...);
//   stub->async()->Method(stream->context(), stream.get());
//   stream->Begin();
//   stream->Wake();      // any thread: NextToWrite has something
//   stream->Cancel();    // any thread: OnClosed follows
//
// A stream has no deadline of its own; its user watches the answers and cancels.
template <typename Request, typename Response>
class ClientStream : public grpc::ClientBidiReactor<Request, Response>,
                     public std::enable_shared_from_this<ClientStream<Request, Response>> {
 public:
  grpc::ClientContext* context() { return &context_; }

  void Begin() {
    {
      absl::MutexLock lock(&mu_);
      self_ = this->shared_from_this();
    }
    // Keeps OnDone back until no write can start any more.
    this->AddHold();
    this->StartRead(&in_);
    this->StartCall();
    Pump();
  }

  // Thread-safe.
  void Wake() ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      if (closed_ || finished_) return;
      if (writing_) {
        woken_ = true;
        return;
      }
      writing_ = true;
    }
    Pump();
  }

  // Says that no more messages follow once NextToWrite is empty; the server then ends
  // the stream. Thread-safe.
  void FinishWriting() ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      finish_ = true;
    }
    Wake();
  }

  // Thread-safe; OnClosed follows, with CANCELLED unless the stream ended otherwise.
  void Cancel() { context_.TryCancel(); }

 protected:
  // One at a time, in order.
  virtual void OnMessage(Response message) = 0;
  // One at a time; not under a lock.
  virtual std::optional<Request> NextToWrite() = 0;
  // The last hook.
  virtual void OnClosed(const absl::Status& status) = 0;

 private:
  void Pump() {
    while (true) {
      std::optional<Request> next;
      if (!Closed()) next = NextToWrite();
      if (next.has_value()) {
        out_ = *std::move(next);
        this->StartWrite(&out_);
        return;
      }
      bool last = false;
      {
        absl::MutexLock lock(&mu_);
        if (woken_ && !closed_) {
          woken_ = false;
          continue;
        }
        last = finish_ && !closed_;
        finished_ = finished_ || last;
        writing_ = last;  // until OnWritesDoneDone
        if (!last && !closed_) return;
      }
      if (last) {
        this->StartWritesDone();
      } else {
        this->RemoveHold();
      }
      return;
    }
  }

  bool Closed() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return closed_;
  }

  void OnReadDone(bool ok) final {
    if (ok) {
      OnMessage(std::move(in_));
      in_ = Response();
      this->StartRead(&in_);
      return;
    }
    {
      absl::MutexLock lock(&mu_);
      closed_ = true;
      if (writing_) return;  // Pump removes the hold
    }
    this->RemoveHold();
  }

  // A failed write means that the read fails too, which closes.
  void OnWriteDone(bool) final {
    // What it holds may be large, and the next write far away.
    out_ = Request();
    Pump();
  }

  void OnWritesDoneDone(bool) final {
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      if (!closed_) return;
    }
    this->RemoveHold();
  }

  void OnDone(const grpc::Status& status) final {
    OnClosed(FromGrpcStatus(status));
    std::shared_ptr<ClientStream> self;
    {
      absl::MutexLock lock(&mu_);
      self = std::move(self_);
    }
    // Not here: the context may hold the last pointer to the channel.
    ReleaseLater(std::move(self));
  }

  grpc::ClientContext context_;
  // Of the read and the write under way; gRPC's meanwhile.
  Response in_;
  Request out_;

  absl::Mutex mu_;
  std::shared_ptr<ClientStream> self_ ABSL_GUARDED_BY(mu_);
  // A write or its preparation is under way. From the start, so that a Wake before Begin
  // leaves the first write to it.
  bool writing_ ABSL_GUARDED_BY(mu_) = true;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  // No more messages were announced; and told to the server.
  bool finish_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace distill

#endif  // COMMON_RPC_CLIENT_STREAM_H_
