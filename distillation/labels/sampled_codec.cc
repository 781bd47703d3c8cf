#include "distillation/labels/sampled_codec.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/random/random.h"
#include "common/status/status_macros.h"
#include "distillation/labels/bit_packing.h"

namespace distill {
namespace {

constexpr int64_t kMaxClasses = int64_t{1} << 31;

// The classes where the running sum of the row's probabilities passes the draws; in order.
std::vector<int64_t> DrawIds(std::span<const float> row, std::vector<double> draws) {
  std::sort(draws.begin(), draws.end());
  const double top = *std::max_element(row.begin(), row.end());
  // The sum is taken as below, to the last bit: the last draws must not pass it.
  double total = 0;
  for (const float value : row) total += std::exp(value - top);
  std::vector<int64_t> ids;
  ids.reserve(draws.size());
  double passed = 0;
  for (size_t c = 0; c < row.size() && ids.size() < draws.size(); ++c) {
    passed += std::exp(row[c] - top);
    while (ids.size() < draws.size() && draws[ids.size()] * total < passed) {
      ids.push_back(static_cast<int64_t>(c));
    }
  }
  ABSL_RAW_CHECK(ids.size() == draws.size(), "a draw passed the whole row");
  return ids;
}

// The weights of a row that are not 0: `share_of`[n] of n draws at the first of n equal ids.
// False for ids that no encoder writes. Without branches, which nobody could foresee: it is for
// every id of every label.
bool WeighIds(std::span<const int64_t> ids, int64_t classes, std::span<const float> share_of,
              float* weights) {
  size_t first = 0;
  int64_t rises = 0;  // Below 0 where one of them is.
  weights[0] = share_of[1];
  for (size_t i = 1; i < ids.size(); ++i) {
    const int64_t rise = ids[i] - ids[i - 1];
    rises |= rise;
    first = rise == 0 ? first : i;
    weights[first] = share_of[i + 1 - first];
  }
  return rises >= 0 && ids.back() < classes;
}

class Sampled : public LabelCodec {
 public:
  Sampled(std::string name, int draws, uint64_t seed)
      : name_(std::move(name)), draws_(draws), seed_(seed) {
    ABSL_RAW_CHECK(draws >= 1 && draws <= kMaxDraws, "draws of a label");
  }

  std::string_view name() const override { return name_; }
  LabelLayout layout() const override { return LabelLayout::kSparse; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    RETURN_IF_ERROR(CheckedLabelShape(rows, classes).status());
    if (classes > kMaxClasses) {
      return absl::OutOfRangeError(absl::StrCat(name_, " names at most ", kMaxClasses, " classes"));
    }
    const uint64_t row = PackedBytes(draws_, BitsFor(classes));
    // Decoded, a bit becomes an id and a weight.
    if (static_cast<uint64_t>(rows) > (uint64_t{1} << 55) / row) {
      return absl::OutOfRangeError(absl::StrCat(rows, " rows of ", name_, " labels"));
    }
    return static_cast<uint64_t>(rows) * row;
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels,
                                       const RowContext& context) const override {
    RETURN_IF_ERROR(CheckLabelsToEncode(labels));
    ASSIGN_OR_RETURN(const uint64_t size, EncodedBytes(labels.dims[0], labels.dims[1]));
    const size_t rows = static_cast<size_t>(labels.dims[0]);
    const size_t classes = static_cast<size_t>(labels.dims[1]);
    if (context.keys.size() != rows) {
      return absl::InvalidArgumentError(absl::StrCat(name_, " needs a key for each of ", rows,
                                                     " rows, not ", context.keys.size()));
    }
    EncodedLabels encoded;
    encoded.bytes.resize(size);
    const auto bytes = std::as_writable_bytes(std::span(encoded.bytes));
    for (size_t r = 0; r < rows; ++r) {
      std::vector<double> draws(static_cast<size_t>(draws_));
      for (size_t i = 0; i < draws.size(); ++i) draws[i] = UniformReal(seed_, context.keys[r], i);
      PackBits(DrawIds(labels.as<float>().subspan(r * classes, classes), std::move(draws)),
               BitsFor(labels.dims[1]), bytes.subspan(r * (size / rows), size / rows));
    }
    return encoded;
  }

  absl::StatusOr<SparseLabels> DecodeSparse(int64_t rows, int64_t classes,
                                            std::string_view parameters,
                                            std::span<const std::byte> bytes,
                                            const RowContext&) const override {
    RETURN_IF_ERROR(CheckEncodedSizes(*this, rows, classes, parameters, 0, bytes));
    const size_t count = static_cast<size_t>(rows);
    const size_t width = static_cast<size_t>(draws_);
    SparseLabels labels;
    labels.rows = rows;
    labels.classes = classes;
    labels.width = draws_;
    labels.ids.resize(count * width);
    labels.weights.resize(count * width);
    if (!UnpackRows(bytes, BitsFor(classes), count, labels.ids)) {
      return absl::DataLossError(absl::StrCat(name_, " labels: a bit behind the ids of a row is ",
                                              "set, which cannot come from an encoder"));
    }
    std::vector<float> share_of(width + 1);
    for (size_t n = 1; n <= width; ++n) share_of[n] = static_cast<float>(n) / draws_;
    for (size_t r = 0; r < count; ++r) {
      const auto ids = std::span(labels.ids).subspan(r * width, width);
      if (!WeighIds(ids, classes, share_of, labels.weights.data() + r * width)) {
        return absl::DataLossError(absl::StrCat(name_, " label row ", r, ": ids that fall, or ",
                                                "are not below ", classes,
                                                ", cannot come from an encoder"));
      }
    }
    return labels;
  }

 private:
  const std::string name_;
  const int draws_;
  const uint64_t seed_;
};

}  // namespace

std::shared_ptr<const LabelCodec> MakeSampled(std::string name, int draws, uint64_t seed) {
  return std::make_shared<Sampled>(std::move(name), draws, seed);
}

}  // namespace distill
