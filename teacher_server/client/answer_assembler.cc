#include "teacher_server/client/answer_assembler.h"

#include <span>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {

void AnswerAssembler::Expect(uint64_t request_id) {
  ABSL_RAW_CHECK(answers_.try_emplace(request_id).second, "a request id is used twice");
}

bool AnswerAssembler::Finish(uint64_t request_id) {
  const auto it = answers_.find(request_id);
  if (it == answers_.end()) return false;
  if (it->second.labels != nullptr) unfinished_bytes_ -= it->second.total;
  answers_.erase(it);
  return true;
}

absl::StatusOr<std::shared_ptr<const ReceivedLabels>> AnswerAssembler::Add(
    const v1::Labels& part, const ByteSlices& payload) {
  const auto it = answers_.find(part.request_id());
  if (it == answers_.end()) {
    return absl::DataLossError(absl::StrCat("labels for request ", part.request_id(),
                                            ", which nobody asked or which is answered"));
  }
  Partial& partial = it->second;
  if (absl::Status status = AddPart(partial, part, payload); !status.ok()) {
    return Annotate(status, absl::StrCat("part ", part.part(), " of the answer to request ",
                                         part.request_id()));
  }
  if (!part.last()) return nullptr;
  partial.labels->stages = part.stages();
  std::shared_ptr<const ReceivedLabels> labels = partial.labels;
  Finish(part.request_id());
  return labels;
}

absl::Status AnswerAssembler::AddPart(Partial& partial, const v1::Labels& part,
                                      const ByteSlices& payload) {
  if (part.part() != partial.parts) {
    return absl::DataLossError(absl::StrCat("part ", partial.parts, " was due"));
  }
  const uint64_t total = partial.labels == nullptr ? part.total_bytes() : partial.total;
  const uint64_t left = total - partial.received;
  const uint64_t size = payload.size();
  if (size > left || part.last() != (size == left)) {
    return absl::DataLossError(absl::StrCat("it has ", size, " bytes and is ",
                                            part.last() ? "" : "not ", "the last part, but ", left,
                                            " of ", total, " bytes are missing"));
  }
  if (size == 0 && !part.last()) return absl::DataLossError("it has no bytes");
  if (partial.labels == nullptr) RETURN_IF_ERROR(Begin(partial, part));
  char* const at = partial.labels->payload.data() + partial.received;
  if (!CopyChecked(payload, part.crc32c(), std::as_writable_bytes(std::span(at, size)))) {
    return absl::DataLossError("its bytes do not have the CRC-32C that was sent along");
  }
  partial.received += size;
  ++partial.parts;
  return absl::OkStatus();
}

absl::Status AnswerAssembler::Begin(Partial& partial, const v1::Labels& part) {
  if (part.total_bytes() > max_answer_bytes_ - unfinished_bytes_) {
    return absl::DataLossError(absl::StrCat(
        "the answer would have ", part.total_bytes(), " bytes, at most ", max_answer_bytes_,
        " are taken in at once; ask for fewer examples, or, where it is a "
        "head, for labels in another codec"));
  }
  partial.total = part.total_bytes();
  partial.labels = std::make_shared<ReceivedLabels>();
  partial.labels->sections.assign(part.sections().begin(), part.sections().end());
  partial.labels->payload = AlignedBytes(partial.total);
  unfinished_bytes_ += partial.total;
  return absl::OkStatus();
}

}  // namespace distill
