#include "distillation/labels/head_tail_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/bit_packing.h"
#include "distillation/labels/chebyshev.h"
#include "distillation/labels/short_distance.h"
#include "distillation/labels/tail_sums.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "payloads are little-endian");

constexpr int64_t kMaxClasses = int64_t{1} << 31;
constexpr double kFullDeficit = (1 << 24) - 1;

template <typename T>
void Put(std::byte*& at, const T& value) {
  std::memcpy(at, &value, sizeof(value));
  at += sizeof(value);
}

template <typename T>
T Take(const std::byte*& at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  at += sizeof(value);
  return value;
}

void PutUint24(std::byte*& at, uint32_t value) {
  std::memcpy(at, &value, 3);
  at += 3;
}

// Byte by byte: three bytes copied to a number wait for the store before they can be loaded.
uint32_t Uint24At(const std::byte* at) {
  return std::to_integer<uint32_t>(at[0]) | std::to_integer<uint32_t>(at[1]) << 8 |
         std::to_integer<uint32_t>(at[2]) << 16;
}

absl::Status CheckRange(double low, double high, int nodes) {
  // Written so that a NaN fails too.
  if (!(low >= kMinSparseTemperature && low <= high && high <= kMaxSparseTemperature)) {
    return absl::InvalidArgumentError(absl::StrCat("temperatures from ", low, " to ", high,
                                                   " must rise within [", kMinSparseTemperature,
                                                   ", ", kMaxSparseTemperature, "]"));
  }
  if (nodes == 1 && low < high) {
    return absl::InvalidArgumentError(absl::StrCat("one tail node serves one temperature, not ",
                                                   low, " to ", high, "; use more nodes"));
  }
  return absl::OkStatus();
}

// Rising, and in [0, classes).
bool IdsRise(std::span<const int64_t> ids, int64_t classes) {
  if (ids.empty()) return true;
  bool falls = ids[0] < 0 || ids.back() >= classes;
  for (size_t i = 1; i < ids.size(); ++i) falls |= ids[i] <= ids[i - 1];
  return !falls;
}

// The ids of the `k` largest, of equal ones the smaller ids; rising.
std::vector<int64_t> LargestIds(std::span<const float> row, size_t k) {
  // A heap whose front is the least of the best so far.
  const auto better = [row](int64_t a, int64_t b) {
    const float left = row[static_cast<size_t>(a)], right = row[static_cast<size_t>(b)];
    return left > right || (left == right && a < b);
  };
  std::vector<int64_t> best;
  best.reserve(k + 1);
  for (size_t c = 0; c < row.size(); ++c) {
    const int64_t id = static_cast<int64_t>(c);
    if (best.size() == k && !better(id, best.front())) continue;
    best.push_back(id);
    std::push_heap(best.begin(), best.end(), better);
    if (best.size() > k) {
      std::pop_heap(best.begin(), best.end(), better);
      best.pop_back();
    }
  }
  std::sort(best.begin(), best.end());
  return best;
}

class HeadTailCodec : public LabelCodec {
 public:
  HeadTailCodec(std::string name, const HeadTailOptions& options, bool ids_travel)
      : name_(std::move(name)), options_(options), ids_travel_(ids_travel) {}

  std::string_view name() const override { return name_; }
  LabelLayout layout() const override { return LabelLayout::kSparse; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override;
  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels,
                                       const RowContext& context) const override;
  absl::StatusOr<SparseLabels> DecodeSparse(int64_t rows, int64_t classes,
                                            std::string_view parameters,
                                            std::span<const std::byte> bytes,
                                            const RowContext& context) const override;

 private:
  int64_t Width(int64_t classes) const {
    return std::min(static_cast<int64_t>(options_.head), classes);
  }
  uint64_t RowBytes(int64_t classes) const;
  absl::Status CheckContext(int64_t rows, int64_t classes, const RowContext& context) const;
  void EncodeRow(std::span<const float> row, std::span<const int64_t> ids,
                 std::span<const double> nodes, std::byte* at) const;
  absl::Status DecodeRow(const std::byte* at, size_t row, double flat, SparseLabels& labels) const;

  const std::string name_;
  const HeadTailOptions options_;
  const bool ids_travel_;
};

uint64_t HeadTailCodec::RowBytes(int64_t classes) const {
  const int64_t width = Width(classes);
  if (width == classes) return static_cast<uint64_t>(classes) * sizeof(float);
  return 2 * sizeof(float) + 3 * static_cast<uint64_t>(options_.tail_nodes) +
         sizeof(uint16_t) * static_cast<uint64_t>(width) +
         (ids_travel_ ? PackedBytes(width, BitsFor(classes)) : 0);
}

absl::StatusOr<uint64_t> HeadTailCodec::EncodedBytes(int64_t rows, int64_t classes) const {
  RETURN_IF_ERROR(CheckedLabelShape(rows, classes).status());
  if (classes > kMaxClasses) {
    return absl::OutOfRangeError(absl::StrCat(name_, " names at most ", kMaxClasses, " classes"));
  }
  if (!ids_travel_ && classes < options_.head) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, " needs at least ", options_.head, " classes, not ", classes));
  }
  const uint64_t row = RowBytes(classes);
  // Decoded, a number of the payload takes at most 16 bytes.
  if (static_cast<uint64_t>(rows) > (uint64_t{1} << 58) / row) {
    return absl::OutOfRangeError(absl::StrCat(rows, " rows of ", name_, " labels"));
  }
  return static_cast<uint64_t>(rows) * row;
}

absl::Status HeadTailCodec::CheckContext(int64_t rows, int64_t classes,
                                         const RowContext& context) const {
  if (ids_travel_) return absl::OkStatus();
  const size_t width = static_cast<size_t>(options_.head);
  if (context.ids.size() != static_cast<size_t>(rows) * width) {
    return absl::InvalidArgumentError(absl::StrCat(name_, " needs ", width, " ids for each of ",
                                                   rows, " rows, not ", context.ids.size()));
  }
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    if (!IdsRise(context.ids.subspan(r * width, width), classes)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name_, ": the ids of row ", r, " do not rise, or are not below ", classes));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<EncodedLabels> HeadTailCodec::Encode(const TensorView& labels,
                                                    const RowContext& context) const {
  RETURN_IF_ERROR(CheckLabelsToEncode(labels));
  const int64_t classes = labels.dims[1];
  ASSIGN_OR_RETURN(const uint64_t size, EncodedBytes(labels.dims[0], classes));
  RETURN_IF_ERROR(CheckContext(labels.dims[0], classes, context));
  const size_t width = static_cast<size_t>(Width(classes));
  RETURN_IF_ERROR(
      CheckRange(options_.min_temperature, options_.max_temperature, options_.tail_nodes));
  EncodedLabels encoded;
  encoded.bytes.resize(size);
  encoded.parameters.resize(2 * sizeof(double));
  std::byte* parameters = reinterpret_cast<std::byte*>(encoded.parameters.data());
  Put(parameters, options_.min_temperature);
  Put(parameters, options_.max_temperature);
  const std::vector<double> nodes = ChebyshevNodes(
      options_.tail_nodes, 1 / options_.max_temperature, 1 / options_.min_temperature);
  std::byte* at = reinterpret_cast<std::byte*>(encoded.bytes.data());
  for (size_t r = 0; r < static_cast<size_t>(labels.dims[0]); ++r) {
    const auto row =
        labels.as<float>().subspan(r * static_cast<size_t>(classes), static_cast<size_t>(classes));
    if (width == row.size()) {
      std::memcpy(at, row.data(), row.size_bytes());
    } else if (ids_travel_) {
      EncodeRow(row, LargestIds(row, width), nodes, at);
    } else {
      EncodeRow(row, context.ids.subspan(r * width, width), nodes, at);
    }
    at += RowBytes(classes);
  }
  return encoded;
}

void HeadTailCodec::EncodeRow(std::span<const float> row, std::span<const int64_t> ids,
                              std::span<const double> nodes, std::byte* at) const {
  const double maximum = *std::max_element(row.begin(), row.end());
  std::vector<double> tail;
  tail.reserve(row.size());
  size_t next = 0;
  for (size_t c = 0; c < row.size(); ++c) {
    if (next < ids.size() && static_cast<size_t>(ids[next]) == c) {
      ++next;
    } else {
      tail.push_back(maximum - row[c]);
    }
  }
  const double flat = std::log(static_cast<double>(tail.size()));
  std::vector<double> deficits = LogSums(tail, nodes);
  double largest = 0;
  for (double& deficit : deficits) {
    deficit = std::max(0.0, flat - deficit);
    largest = std::max(largest, deficit);
  }
  const float scale =
      static_cast<float>(std::min<double>(largest, std::numeric_limits<float>::max()));
  Put(at, static_cast<float>(maximum));
  Put(at, scale);
  for (const double deficit : deficits) {
    const double share = scale > 0 ? std::min(1.0, deficit / scale) : 0;
    PutUint24(at, static_cast<uint32_t>(std::nearbyint(share * kFullDeficit)));
  }
  for (const int64_t id : ids) Put(at, ShortDistanceFrom(maximum - row[static_cast<size_t>(id)]));
  if (ids_travel_) {
    const int bits = BitsFor(static_cast<int64_t>(row.size()));
    PackBits(ids, bits, {at, PackedBytes(static_cast<int64_t>(ids.size()), bits)});
  }
}

absl::StatusOr<SparseLabels> HeadTailCodec::DecodeSparse(int64_t rows, int64_t classes,
                                                         std::string_view parameters,
                                                         std::span<const std::byte> bytes,
                                                         const RowContext& context) const {
  RETURN_IF_ERROR(CheckEncodedSizes(*this, rows, classes, parameters, 2 * sizeof(double), bytes));
  RETURN_IF_ERROR(CheckContext(rows, classes, context));
  SparseLabels labels;
  const std::byte* range = reinterpret_cast<const std::byte*>(parameters.data());
  labels.min_temperature = Take<double>(range);
  labels.max_temperature = Take<double>(range);
  const absl::Status valid =
      CheckRange(labels.min_temperature, labels.max_temperature, options_.tail_nodes);
  if (!valid.ok()) return absl::DataLossError(absl::StrCat(name_, ": ", valid.message()));
  labels.rows = rows;
  labels.classes = classes;
  labels.width = Width(classes);
  labels.tail_nodes = labels.width == classes ? 0 : options_.tail_nodes;
  const size_t count = static_cast<size_t>(rows);
  labels.ids.assign(context.ids.begin(), ids_travel_ ? context.ids.begin() : context.ids.end());
  labels.ids.resize(count * static_cast<size_t>(labels.width));
  labels.shift.resize(count);
  labels.values.resize(labels.ids.size());
  labels.tail.resize(count * static_cast<size_t>(labels.tail_nodes));
  // What the tail of a flat row sums up to.
  const double flat = std::log(static_cast<double>(classes - labels.width));
  const uint64_t row_bytes = RowBytes(classes);
  for (size_t r = 0; r < count; ++r) {
    RETURN_IF_ERROR(DecodeRow(bytes.data() + r * row_bytes, r, flat, labels));
  }
  return labels;
}

absl::Status HeadTailCodec::DecodeRow(const std::byte* at, size_t row, double flat,
                                      SparseLabels& labels) const {
  const size_t width = static_cast<size_t>(labels.width);
  const auto ids = std::span(labels.ids).subspan(row * width, width);
  const auto values = std::span(labels.values).subspan(row * width, width);
  if (labels.width == labels.classes) {
    for (size_t i = 0; i < width; ++i) ids[i] = static_cast<int64_t>(i);
    std::memcpy(values.data(), at, values.size_bytes());
    return CheckFiniteRows(values, labels.classes);
  }
  const size_t nodes = static_cast<size_t>(labels.tail_nodes);
  labels.shift[row] = Take<float>(at);
  const float scale = Take<float>(at);
  if (!std::isfinite(labels.shift[row]) || !(scale >= 0 && std::isfinite(scale))) {
    return absl::DataLossError(absl::StrCat(name_, " label row ", row, ": maximum ",
                                            labels.shift[row], " and scale ", scale,
                                            " cannot come from an encoder"));
  }
  const double unit = scale / kFullDeficit;
  double* const tail = labels.tail.data() + row * nodes;
  for (size_t j = 0; j < nodes; ++j) tail[j] = flat - Uint24At(at + 3 * j) * unit;
  at += 3 * nodes;
  for (size_t i = 0; i < width; ++i) {
    uint16_t code;
    std::memcpy(&code, at + i * sizeof(code), sizeof(code));
    values[i] = -DistanceFromShort(code);
  }
  at += width * sizeof(uint16_t);
  if (!ids_travel_) return absl::OkStatus();
  const int bits = BitsFor(labels.classes);
  const bool clean = UnpackBits({at, PackedBytes(labels.width, bits)}, bits, ids);
  if (!clean || !IdsRise(ids, labels.classes)) {
    return absl::DataLossError(absl::StrCat(name_, " label row ", row, ": ids that do not rise ",
                                            "below ", labels.classes,
                                            " cannot come from an encoder"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const LabelCodec>> Make(std::string name,
                                                       const HeadTailOptions& options,
                                                       bool ids_travel) {
  if (options.head < 1 || options.head > kMaxHead || options.tail_nodes < 1 ||
      options.tail_nodes > kMaxTailNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("label codec ", name, ": ", options.head, " classes of 1 to ", kMaxHead,
                     " and ", options.tail_nodes, " tail nodes of 1 to ", kMaxTailNodes));
  }
  // A name alone must do for decoding, so that one node is checked where it encodes.
  const absl::Status valid =
      CheckRange(options.min_temperature, options.max_temperature, kMaxTailNodes);
  if (!valid.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("label codec ", name, ": ", valid.message()));
  }
  return std::make_shared<HeadTailCodec>(std::move(name), options, ids_travel);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LabelCodec>> MakeTopK(std::string name,
                                                           const HeadTailOptions& options) {
  return Make(std::move(name), options, /*ids_travel=*/true);
}

absl::StatusOr<std::shared_ptr<const LabelCodec>> MakeScoresAtIds(std::string name,
                                                                  const HeadTailOptions& options) {
  return Make(std::move(name), options, /*ids_travel=*/false);
}

}  // namespace distill
