// The model's head, for students that compute logits themselves: streams of a hidden codec get
// the hidden states of the last layer, and that layer where they ask for it. A model without
// one is served without those codecs.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/bytes/byte_slices.h"
#include "common/status/status_macros.h"
#include "distillation/labels/head_section.h"
#include "distillation/labels/label_head.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_state.h"

namespace distill {

int64_t LabelServer::Model::features() const {
  const std::shared_ptr<const LabelHead>& its = runner->description().head;
  return its == nullptr ? 0 : its->features();
}

int64_t LabelServer::Model::WidthFor(const Stream& stream) const {
  return stream.codec->layout() == LabelLayout::kHidden ? features() : int64_t{served->classes};
}

absl::StatusOr<LabelAnswer> LabelServer::Model::HeadAnswer() {
  if (head.has_value()) return *head;
  // A stream of a hidden codec is of a model that has one.
  ASSIGN_OR_RETURN(EncodedHead encoded, EncodeHead(*runner->description().head));
  LabelAnswer answer;
  answer.shared = true;
  answer.sections = std::move(encoded.sections);
  for (std::string& bytes : encoded.payload) {
    answer.payload.push_back(SlicesOf(std::move(bytes)));
  }
  head = std::move(answer);
  return *head;
}

}  // namespace distill
