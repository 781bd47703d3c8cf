// One Label stream as the teacher server sees it, without gRPC: messages in, asks to
// admit and frames to write out.
#ifndef TEACHER_SERVER_LABEL_STREAM_LABEL_STREAM_H_
#define TEACHER_SERVER_LABEL_STREAM_LABEL_STREAM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/bytes/byte_slices.h"
#include "proto/teacher.pb.h"
#include "teacher_server/label_stream/memory_ledger.h"

namespace distill {

struct LabelStreamOptions {
  uint64_t max_part_bytes = uint64_t{1} << 20;
  uint32_t max_request_examples = 256;
  // Asks whose answer is not out, whatever the credit.
  uint32_t max_unanswered = 1024;
  // Bytes of answers that are not out; an ask beyond them ends the stream.
  uint64_t max_unsent_bytes = uint64_t{64} << 20;
  // Of the whole server: bytes of answers that are asked for or not out, of all streams.
  // An ask beyond them is refused, and so is one of a stream that holds as much of them
  // as is free.
  uint64_t max_server_bytes = uint64_t{1} << 30;
};

// What the server serves; a stream keeps to the one it was opened on.
struct ServedModel {
  std::string model;
  std::string fingerprint;
  std::string numerics_class;
  std::string data_set_digest;
  std::vector<std::string> outputs;
  std::vector<std::string> codecs;
  std::vector<int64_t> example_dims;
  uint32_t classes = 0;
  // Of this start of the server.
  uint64_t incarnation = 0;
};

// The one tensor of a bundle.
inline constexpr char kExamplesTensor[] = "examples";

// Examples as the student sent them: float32 [rows, example dims...].
struct SentExamples {
  std::vector<int64_t> dims;
  ByteSlices bytes;
  // For whoever copies them: CRC-32C, where the student gave one.
  std::optional<uint32_t> crc32c;
};

// An ask that passed every check that needs no data.
struct AdmittedAsk {
  uint64_t request_id = 0;
  absl::Duration remaining;
  // One of the three.
  v1::ExampleRefs examples;
  std::optional<SentExamples> tensors;
  // The model's head.
  bool head = false;
};

struct LabelAnswer {
  // Offsets count over `payload` joined; see distillation/labels/section.h.
  std::vector<v1::Section> sections;
  std::vector<ByteSlices> payload;
  v1::StageSeconds stages;
  // The payload stays in memory for other answers: this one holds nothing for its own.
  bool shared = false;
};

// One message to write: the head, then the bytes of its last field.
struct LabelFrame {
  v1::LabelResponse head;
  ByteSlices payload;
};

// A pure state machine. Thread-compatible.
//
//   AWAITING_OPEN --open--> SERVING --Drain--> DRAINING --(all answered)--> finished()
//
// Each ask gets exactly one terminal answer, labels or `failed`, and that uses one
// request credit; parts use byte credit, one part at least per answer. After every
// input take admitted asks, cancelled ids, and, when no write is under way, NextFrame.
// Frames go out in this order: opened, draining, failures, then answers as they came,
// so that a failure never waits for byte credit.
class LabelStream {
 public:
  // `served` null: nothing can be served now, for the reason `unavailable`.
  // Answers are held in `account` until their bytes are let go of; null: not counted.
  LabelStream(const LabelStreamOptions& options, std::shared_ptr<const ServedModel> served,
              absl::Status unavailable, std::shared_ptr<MemoryLedger::Account> account = nullptr);

  // Not OK: the stream ends with this status (codes in teacher.proto).
  absl::Status OnMessage(v1::LabelRequest message, ByteSlices payload = {});

  // The answer to an admitted ask; ignored where it has been answered, as a cancelled
  // one has.
  void Answer(uint64_t request_id, LabelAnswer answer);
  void Fail(uint64_t request_id, const absl::Status& status, absl::Duration retry_after);

  // Refuses asks from here on; those admitted are answered.
  void Drain(const std::string& reason);

  std::vector<AdmittedAsk> TakeAdmitted();
  // Admitted asks whose answer nobody wants any more: spare the work where possible.
  std::vector<uint64_t> TakeCancelled();
  std::optional<LabelFrame> NextFrame();

  // Drained, and all answers are out.
  bool finished() const;
  bool opened() const { return state_ != State::kAwaitingOpen; }
  // Negotiated; valid once opened.
  const std::string& codec() const { return codec_; }
  const v1::Open& open() const { return open_; }
  const std::shared_ptr<const ServedModel>& served() const { return served_; }
  size_t unanswered() const { return unanswered_.size(); }

 private:
  enum class State { kAwaitingOpen, kServing, kDraining };
  struct Outgoing {
    uint64_t request_id = 0;
    LabelAnswer answer;
    // Every slice on its way keeps the payload, and what is held of the account for it.
    std::shared_ptr<const void> owner;
    uint64_t total = 0;
    uint64_t sent = 0;
    uint32_t parts = 0;
  };

  absl::Status OnOpen(const v1::Open& open);
  absl::Status OnAsk(v1::Ask ask, ByteSlices payload);
  // Why an ask cannot be served; OK otherwise.
  absl::Status CheckAsk(const v1::Ask& ask, uint64_t payload_bytes) const;
  absl::Status CheckHead() const;
  absl::Status CheckRows(uint64_t rows) const;
  absl::Status CheckRefs(const v1::ExampleRefs& refs) const;
  absl::Status CheckTensors(const v1::TensorBundle& bundle, uint64_t payload_bytes) const;
  void AddCredit(const v1::Credit& credit);
  LabelFrame NextPart(Outgoing& outgoing);

  const LabelStreamOptions options_;
  const std::shared_ptr<const ServedModel> served_;
  const absl::Status unavailable_;
  const std::shared_ptr<MemoryLedger::Account> account_;
  State state_ = State::kAwaitingOpen;
  v1::Open open_;
  std::string codec_;
  // Granted and not used. Saturating.
  uint64_t request_credit_ = 0;
  uint64_t byte_credit_ = 0;
  // Asked, no terminal answer queued yet; true: handed out by TakeAdmitted.
  std::map<uint64_t, bool> unanswered_;
  std::vector<AdmittedAsk> admitted_;
  std::vector<uint64_t> cancelled_;
  // opened, draining and failed.
  std::deque<v1::LabelResponse> urgent_;
  std::deque<Outgoing> outgoing_;
  uint64_t unsent_bytes_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_LABEL_STREAM_LABEL_STREAM_H_
