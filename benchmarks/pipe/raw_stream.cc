#include "benchmarks/pipe/raw_stream.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/synchronization/notification.h"
#include "common/bytes/aligned_bytes.h"
#include "common/bytes/byte_slices.h"
#include "common/digest/crc32c.h"
#include "common/rpc/framing.h"
#include "common/rpc/status_conversion.h"

namespace distill {
namespace {

// What one end does with a message before it sends and after it received it.
class Handling {
 public:
  Handling(size_t bytes, RawWork work)
      : bytes_(std::make_shared<const std::string>(bytes, 'x')),
        crc32c_(Crc32c(*bytes_)),
        work_(work) {}

  grpc::ByteBuffer Make() const {
    std::shared_ptr<const std::string> bytes = bytes_;
    if (work_ == RawWork::kMatched) bytes = std::make_shared<const std::string>(*bytes_);
    if (work_ != RawWork::kNone) Consume(Crc32c(*bytes));
    const grpc::Slice slice = OwnedSlice(*bytes, bytes);
    return grpc::ByteBuffer(&slice, 1);
  }

  void Take(const grpc::ByteBuffer& message) const {
    if (work_ == RawWork::kNone) return;
    std::vector<grpc::Slice> slices;
    ABSL_RAW_CHECK(message.Dump(&slices).ok(), "a message without slices");
    AlignedBytes copy(message.Length());
    if (work_ == RawWork::kLeast) {
      ByteSlices views;
      for (const grpc::Slice& slice : slices) {
        views.slices.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
      const std::span<std::byte> to(reinterpret_cast<std::byte*>(copy.data()), copy.size());
      ABSL_RAW_CHECK(CopyChecked(views, crc32c_, to), "a message that arrived damaged");
      return;
    }
    size_t at = 0;
    for (const grpc::Slice& slice : slices) {
      std::memcpy(copy.data() + at, slice.begin(), slice.size());
      at += slice.size();
    }
    Consume(Crc32c(copy.view()));
  }

 private:
  // So that no compiler leaves the work out.
  static void Consume(uint32_t value) {
    static std::atomic<uint32_t> sum{0};
    sum.fetch_add(value, std::memory_order_relaxed);
  }

  const std::shared_ptr<const std::string> bytes_;
  const uint32_t crc32c_;
  const RawWork work_;
};

// Reads, and answers each message with one of its own; a write at a time.
class RawServer final : public grpc::ServerGenericBidiReactor {
 public:
  explicit RawServer(const RawStreamOptions& options)
      : requests_(options.request_bytes, options.work),
        answers_(options.answer_bytes, options.work) {
    StartRead(&in_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      if (owed_.fetch_add(kEnded) == 0) Finish(grpc::Status::OK);
      return;
    }
    requests_.Take(in_);
    const bool idle = owed_.fetch_add(1) == 0;
    if (idle) Write();
    StartRead(&in_);
  }
  void OnWriteDone(bool ok) override {
    ABSL_RAW_CHECK(ok, "the benchmark's client went away");
    const int64_t left = owed_.fetch_sub(1) - 1;
    if (left == kEnded) {
      Finish(grpc::Status::OK);
    } else if (left > 0) {
      Write();
    }
  }
  void OnDone() override { delete this; }
  void Write() {
    out_ = answers_.Make();
    StartWrite(&out_);
  }

  static constexpr int64_t kEnded = int64_t{1} << 40;
  const Handling requests_;
  const Handling answers_;
  // Answers that are not written, and kEnded once the client has said its last.
  std::atomic<int64_t> owed_{0};
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;
};

class RawService final : public grpc::CallbackGenericService {
 public:
  explicit RawService(const RawStreamOptions& options) : options_(options) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new RawServer(options_);
  }

 private:
  const RawStreamOptions options_;
};

class RawClient final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  RawClient(const RawStreamOptions& options, int64_t requests)
      : requests_(options.request_bytes, options.work),
        answers_(options.answer_bytes, options.work),
        window_(std::min<int64_t>(options.window, requests)),
        unanswered_(requests),
        unsent_(requests) {}

  grpc::Status Run(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::GenericStub stub(channel);
    stub.PrepareBidiStreamingCall(&context_, "/benchmark/Raw", {}, this);
    StartRead(&in_);
    may_write_ = window_;
    Write();
    StartCall();
    done_.WaitForNotification();
    return status_;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    answers_.Take(in_);
    if (--unanswered_ > 0) {
      if (may_write_.fetch_add(1) == 0) Write();
    }
    StartRead(&in_);
  }
  void OnWriteDone(bool ok) override {
    if (ok && may_write_.fetch_sub(1) - 1 > 0) Write();
  }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_.Notify();
  }
  // One at a time: whoever raised may_write_ from 0, or finished a write and found more.
  void Write() {
    if (unsent_ == 0) return;
    out_ = requests_.Make();
    if (--unsent_ == 0) {
      StartWriteLast(&out_, grpc::WriteOptions());
    } else {
      StartWrite(&out_);
    }
  }

  const Handling requests_;
  const Handling answers_;
  const int64_t window_;
  grpc::ClientContext context_;
  int64_t unanswered_;
  int64_t unsent_;
  std::atomic<int64_t> may_write_{0};
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;
  grpc::Status status_;
  absl::Notification done_;
};

}  // namespace

std::unique_ptr<grpc::CallbackGenericService> MakeRawService(const RawStreamOptions& options) {
  return std::make_unique<RawService>(options);
}

absl::Status RunRawStream(const std::shared_ptr<grpc::Channel>& channel,
                          const RawStreamOptions& options, int64_t requests) {
  RawClient client(options, requests);
  return FromGrpcStatus(client.Run(channel));
}

}  // namespace distill
