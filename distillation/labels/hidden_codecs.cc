#include "distillation/labels/hidden_codecs.h"

#include <utility>

#include "common/status/annotate.h"

namespace distill {
namespace {

class Hidden final : public LabelCodec {
 public:
  Hidden(std::string name, std::shared_ptr<const LabelCodec> values)
      : name_(std::move(name)), values_(std::move(values)) {}

  std::string_view name() const override { return name_; }
  LabelLayout layout() const override { return LabelLayout::kHidden; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t features) const override {
    return values_->EncodedBytes(rows, features);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& hidden,
                                       const RowContext& context) const override {
    auto encoded = values_->Encode(hidden, context);
    if (!encoded.ok()) return Annotate(encoded.status(), name_);
    return encoded;
  }

  absl::Status Decode(int64_t rows, int64_t features, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    return Annotate(values_->Decode(rows, features, parameters, bytes, values), name_);
  }

  absl::StatusOr<const float*> DecodeInPlace(int64_t rows, int64_t features,
                                             std::string_view parameters,
                                             std::span<const std::byte> bytes) const override {
    auto in_place = values_->DecodeInPlace(rows, features, parameters, bytes);
    if (!in_place.ok()) return Annotate(in_place.status(), name_);
    return in_place;
  }

  bool payload_is_the_labels() const override { return values_->payload_is_the_labels(); }

 private:
  const std::string name_;
  const std::shared_ptr<const LabelCodec> values_;
};

}  // namespace

std::shared_ptr<const LabelCodec> MakeHidden(std::string name,
                                             std::shared_ptr<const LabelCodec> values) {
  return std::make_shared<Hidden>(std::move(name), std::move(values));
}

}  // namespace distill
