#include "distillation/labels/labels_fuzz.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/sparse_labels.h"

namespace distill {
namespace {

constexpr std::array<const char*, 12> kCodecs = {
    "dense_fp32", "dense_fp16",      "dense_bf16", "log_prob_u8", "top_k",       "top_k/3/1",
    "top_k/2/4",  "scores_at_ids/3", "sampled",    "sampled/3",   "hidden_fp32", "hidden_fp16"};

void CheckFinite(std::span<const float> values) {
  ABSL_RAW_CHECK(
      std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }),
      "a decoded value is not finite");
}

void CheckSparse(const SparseLabels& labels, size_t bytes) {
  ABSL_RAW_CHECK(labels.ids.size() == static_cast<size_t>(labels.rows * labels.width), "ids");
  ABSL_RAW_CHECK(labels.ids.size() <= 8 * bytes, "memory beyond the bytes received");
  for (const int64_t id : labels.ids) {
    ABSL_RAW_CHECK(id >= 0 && id < labels.classes, "an id is no class");
  }
  CheckFinite(labels.values);
  CheckFinite(labels.shift);
  if (!labels.weights.empty()) {
    const double sum = std::accumulate(labels.weights.begin(), labels.weights.end(), 0.0);
    ABSL_RAW_CHECK(std::abs(sum - static_cast<double>(labels.rows)) < 1e-3, "weights");
    return;
  }
  for (const double t : {labels.min_temperature, labels.max_temperature}) {
    for (int64_t row = 0; row < labels.rows; ++row) {
      const auto log_p = HeadAndTailLogProbs(labels, row, t);
      ABSL_RAW_CHECK(log_p.ok(), "labels without probabilities");
      double sum = 0;
      for (const double value : *log_p) sum += std::exp(value);
      ABSL_RAW_CHECK(std::abs(sum - 1) < 1e-6, "probabilities that do not sum to one");
    }
  }
}

// As DecodeSection does: no memory before the size is known to fit.
void Decode(const LabelCodec& codec, int64_t rows, int64_t classes, std::string_view parameters,
            std::span<const std::byte> bytes) {
  const auto expected = codec.EncodedBytes(rows, classes);
  const auto in_place = codec.DecodeInPlace(rows, classes, parameters, bytes);
  if (in_place.ok() && *in_place != nullptr) {
    CheckFinite(std::span(*in_place, static_cast<size_t>(rows * classes)));
  }
  if (codec.layout() != LabelLayout::kSparse) {
    if (!expected.ok() || *expected != bytes.size()) {
      ABSL_RAW_CHECK(!codec.Decode(rows, classes, parameters, bytes, {}).ok(), "a size that lies");
      return;
    }
    std::vector<float> values(static_cast<size_t>(rows * classes));
    if (codec.Decode(rows, classes, parameters, bytes, values).ok()) CheckFinite(values);
    return;
  }
  std::vector<int64_t> ids;
  for (int64_t row = 0; row < rows; ++row) ids.insert(ids.end(), {0, classes / 2, classes - 1});
  const auto labels =
      codec.DecodeSparse(rows, classes, parameters, bytes, {.ids = ids, .keys = {}});
  if (labels.ok()) CheckSparse(*labels, bytes.size());
}

}  // namespace
}  // namespace distill

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Names come from other processes too.
  (void)distill::FindCodec(text.substr(0, 40));
  if (size < 7) return 0;
  uint32_t classes;
  std::memcpy(&classes, data + 2, sizeof(classes));
  const size_t parameters = std::min<size_t>(data[6], size - 7);
  const auto codec = distill::FindCodec(distill::kCodecs[data[0] % distill::kCodecs.size()]);
  ABSL_RAW_CHECK(codec.ok(), "a codec of the list is gone");
  distill::Decode(**codec, data[1], classes, text.substr(7, parameters),
                  std::as_bytes(std::span(data, size)).subspan(7 + parameters));
  return 0;
}
