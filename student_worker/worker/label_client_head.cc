// The head of a teacher whose labels are hidden states: streams wait for it before the source
// hears of them, so that whatever is answered can be read.
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/annotate.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/head_section.h"
#include "distillation/labels/label_head.h"
#include "student_worker/worker/label_client.h"

namespace distill {

void LabelClient::Opened(const std::string& name, Teacher& teacher, absl::Duration now) {
  if (IsHiddenCodec(teacher.codec) && head_ == nullptr) {
    head_ = options_.heads->Find(options_.open.fingerprint());
  }
  teacher.waits_for_head = IsHiddenCodec(teacher.codec) && head_ == nullptr;
  if (!teacher.waits_for_head) source_.StreamOpened(name, teacher.numerics_class, now);
}

void LabelClient::AskForHead(absl::Duration now) {
  if (head_ask_.has_value() && Current(head_ask_->teacher, head_ask_->serial) != nullptr) {
    if (now < head_ask_->deadline) return;
    LoseForHead(head_ask_->teacher,
                absl::DeadlineExceededError(
                    absl::StrCat("it did not send the head within ",
                                 absl::FormatDuration(options_.source.request_timeout),
                                 "; raise labels.request_timeout_seconds, or take another codec")),
                /*lied=*/false, now);
  }
  head_ask_.reset();
  if (head_ != nullptr) return OfferWaiting(now);
  for (auto& [name, teacher] : teachers_) {
    if (!teacher.waits_for_head) continue;
    head_ask_ = HeadAsk{name, teacher.serial, now + options_.source.request_timeout};
    v1::Ask ask;
    ask.set_request_id(kHeadRequest);
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(options_.source.request_timeout);
    ask.mutable_remaining()->set_seconds(nanoseconds / 1'000'000'000);
    ask.mutable_remaining()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
    ask.mutable_head();
    teacher.channel->Ask(std::move(ask), {});
    return;
  }
}

void LabelClient::OnHead(const std::string& name, const ReceivedLabels& received,
                         absl::Duration now) {
  auto head = DecodeHead(
      received.sections,
      std::as_bytes(std::span<const char>(received.payload.data(), received.payload.size())),
      int64_t{options_.open.classes()});
  if (!head.ok()) return LoseForHead(name, head.status(), /*lied=*/true, now);
  head_ask_.reset();
  // A stream that opened meanwhile may have found one that the process had asked for: that stays.
  if (head_ == nullptr) {
    head_ = options_.heads->Keep(options_.open.fingerprint(), *std::move(head));
  }
  OfferWaiting(now);
}

void LabelClient::OfferWaiting(absl::Duration now) {
  for (auto& [name, teacher] : teachers_) {
    if (!std::exchange(teacher.waits_for_head, false)) continue;
    source_.StreamOpened(name, teacher.numerics_class, now);
  }
}

void LabelClient::LoseForHead(const std::string& name, const absl::Status& why, bool lied,
                              absl::Duration now) {
  // First, so that it is not asked again.
  const auto teacher = teachers_.extract(name);
  teacher.mapped().channel->Close();
  const absl::Status annotated = Annotate(why, "the teacher's head");
  if (lied) {
    source_.Distrust(name, annotated, now);
  } else {
    source_.StreamLost(name, annotated, now);
  }
}

}  // namespace distill
