// Puts the parts of answers together, believing nothing that a server sends.
#ifndef TEACHER_SERVER_CLIENT_ANSWER_ASSEMBLER_H_
#define TEACHER_SERVER_CLIENT_ANSWER_ASSEMBLER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/bytes/aligned_bytes.h"
#include "common/bytes/byte_slices.h"
#include "proto/teacher.pb.h"

namespace distill {

// One whole answer: DecodeSection (distillation/labels/section.h) reads it.
struct ReceivedLabels {
  std::vector<v1::Section> sections;
  AlignedBytes payload;
  v1::StageSeconds stages;
};

// Thread-compatible. Memory: at most `max_answer_bytes` for all unfinished answers
// together, and only once an answer was asked for.
class AnswerAssembler {
 public:
  explicit AnswerAssembler(uint64_t max_answer_bytes) : max_answer_bytes_(max_answer_bytes) {}

  // From here on an answer to `request_id` is welcome; crashes where one is already.
  void Expect(uint64_t request_id);

  // The answer once `part` was its last, null before. The payload is copied to its place in
  // the answer, and nowhere else. DATA_LOSS, with the request's id, for everything that
  // cannot come from a correct server (unknown id, part number, length, CRC) and for
  // answers above the limit: end the stream, since the parts no longer fit together.
  absl::StatusOr<std::shared_ptr<const ReceivedLabels>> Add(const v1::Labels& part,
                                                            const ByteSlices& payload);

  // No (more) labels will come. False for an id that is not expected.
  bool Finish(uint64_t request_id);

  bool expects(uint64_t request_id) const { return answers_.contains(request_id); }
  size_t expected() const { return answers_.size(); }

 private:
  struct Partial {
    // Null until the first part.
    std::shared_ptr<ReceivedLabels> labels;
    uint64_t total = 0;
    uint64_t received = 0;
    uint32_t parts = 0;
  };

  absl::Status AddPart(Partial& partial, const v1::Labels& part, const ByteSlices& payload);
  absl::Status Begin(Partial& partial, const v1::Labels& part);

  const uint64_t max_answer_bytes_;
  // Of the answers that are not complete.
  uint64_t unfinished_bytes_ = 0;
  std::map<uint64_t, Partial> answers_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CLIENT_ANSWER_ASSEMBLER_H_
