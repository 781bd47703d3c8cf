// A head as the sections of an answer (HeadRequest in proto/teacher.proto), and back.
#ifndef DISTILLATION_LABELS_HEAD_SECTION_H_
#define DISTILLATION_LABELS_HEAD_SECTION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "distillation/labels/label_head.h"
#include "proto/teacher.pb.h"

namespace distill {

struct EncodedHead {
  std::vector<v1::Section> sections;
  // One for each section; offsets count over them joined.
  std::vector<std::string> payload;
};

// INVALID_ARGUMENT for tensors that are no head; DATA_LOSS for values that are not finite.
absl::StatusOr<EncodedHead> EncodeHead(const LabelHead& head);

// In memory of its own. DATA_LOSS for everything that is no head of so many classes: ask
// another teacher.
absl::StatusOr<LabelHead> DecodeHead(std::span<const v1::Section> sections,
                                     std::span<const std::byte> payload, int64_t classes);

}  // namespace distill

#endif  // DISTILLATION_LABELS_HEAD_SECTION_H_
