#include "distillation/labels/dense_codecs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/distance_rows.h"
#include "distillation/labels/half.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "payloads are little-endian");

// What any payload must satisfy before it is read.
absl::Status CheckPayload(const LabelCodec& codec, int64_t rows, int64_t classes,
                          std::string_view parameters, size_t wanted_parameters,
                          std::span<const std::byte> bytes, std::span<const float> values) {
  RETURN_IF_ERROR(CheckEncodedSizes(codec, rows, classes, parameters, wanted_parameters, bytes));
  const uint64_t elements = static_cast<uint64_t>(rows) * static_cast<uint64_t>(classes);
  if (values.size() != elements) {
    return absl::DataLossError(absl::StrCat(std::string(codec.name()), " labels [", rows, ", ",
                                            classes, "] have room for ", values.size(),
                                            " values instead of ", elements));
  }
  return absl::OkStatus();
}

class DenseCodec : public LabelCodec {
 public:
  LabelLayout layout() const override { return LabelLayout::kDense; }
};

class DenseFp32 : public DenseCodec {
 public:
  std::string_view name() const override { return "dense_fp32"; }
  bool payload_is_the_labels() const override { return true; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    ASSIGN_OR_RETURN(const int64_t elements, CheckedLabelShape(rows, classes));
    return static_cast<uint64_t>(elements) * sizeof(float);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels, const RowContext&) const override {
    RETURN_IF_ERROR(CheckLabelsToEncode(labels));
    return EncodedLabels{
        std::string(reinterpret_cast<const char*>(labels.bytes.data()), labels.bytes.size()), ""};
  }

  absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    RETURN_IF_ERROR(CheckPayload(*this, rows, classes, parameters, 0, bytes, values));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return CheckFiniteRows(values, classes);
  }

  absl::StatusOr<const float*> DecodeInPlace(int64_t rows, int64_t classes,
                                             std::string_view parameters,
                                             std::span<const std::byte> bytes) const override {
    RETURN_IF_ERROR(CheckEncodedSizes(*this, rows, classes, parameters, 0, bytes));
    if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) != 0) return nullptr;
    const auto* const values = reinterpret_cast<const float*>(bytes.data());
    RETURN_IF_ERROR(CheckFiniteRows({values, bytes.size() / sizeof(float)}, classes));
    return values;
  }
};

// How a distance is written, without branches: it is for every value of every label. The way
// back is distance_rows.h.

// The sign of zero is free, that of all others is set.
struct Fp16 {
  using Code = uint16_t;
  static constexpr DistanceCode kCode = DistanceCode::kHalf;
  static constexpr std::string_view kName = "dense_fp16";
  float Step() const { return 0; }
  // HalfFromFloat of what is finite. The difference may overflow to -infinity; the clamp
  // holds it too.
  Code Encode(float shifted) const {
    const uint32_t signed_bits = std::bit_cast<uint32_t>(std::max(shifted, -kMaxHalf));
    const uint32_t bits = signed_bits & 0x7fffffffu;
    const uint32_t normal = (bits - (112u << 23) + 0xfffu + ((bits >> 13) & 1u)) >> 13;
    // Beside 0.5 the last bit of a float is that of a subnormal half.
    const uint32_t subnormal =
        std::bit_cast<uint32_t>(std::bit_cast<float>(bits) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
    const uint32_t small = 0u - static_cast<uint32_t>(static_cast<int32_t>(bits) < (113 << 23));
    return static_cast<Code>(((signed_bits >> 16) & 0x8000u) | (small & subnormal) |
                             (~small & normal));
  }
};

struct Bf16 {
  using Code = uint16_t;
  static constexpr DistanceCode kCode = DistanceCode::kBFloat16;
  static constexpr std::string_view kName = "dense_bf16";
  float Step() const { return 0; }
  // BFloat16FromFloat of what is finite.
  Code Encode(float shifted) const {
    const uint32_t bits = std::bit_cast<uint32_t>(std::max(shifted, -kMaxBFloat16));
    return static_cast<Code>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
};

// Steps of range / 255.
struct U8 {
  using Code = uint8_t;
  static constexpr DistanceCode kCode = DistanceCode::kSteps;
  float range;
  Code Encode(float shifted) const {
    const double distance = std::min(-static_cast<double>(shifted), static_cast<double>(range));
    return static_cast<Code>(std::nearbyint(distance * 255 / range));
  }
  float Step() const { return range / 255.0f; }
};

// Row maxima, then the codes of the distances below them.
template <typename Coding>
absl::StatusOr<uint64_t> ShiftedBytes(int64_t rows, int64_t classes) {
  ASSIGN_OR_RETURN(const int64_t elements, CheckedLabelShape(rows, classes));
  return static_cast<uint64_t>(rows) * sizeof(float) +
         static_cast<uint64_t>(elements) * sizeof(typename Coding::Code);
}

template <typename Coding>
absl::StatusOr<std::string> EncodeShifted(const Coding& coding, const TensorView& labels) {
  RETURN_IF_ERROR(CheckLabelsToEncode(labels));
  const size_t rows = static_cast<size_t>(labels.dims[0]);
  const size_t classes = static_cast<size_t>(labels.dims[1]);
  ASSIGN_OR_RETURN(const uint64_t size, ShiftedBytes<Coding>(labels.dims[0], labels.dims[1]));
  std::string bytes(size, '\0');
  char* codes = bytes.data() + rows * sizeof(float);
  for (size_t r = 0; r < rows; ++r) {
    const auto row = labels.as<float>().subspan(r * classes, classes);
    const float maximum = *std::max_element(row.begin(), row.end());
    std::memcpy(bytes.data() + r * sizeof(float), &maximum, sizeof(float));
    for (size_t c = 0; c < classes; ++c) {
      const typename Coding::Code code = coding.Encode(row[c] - maximum);
      std::memcpy(codes + c * sizeof(code), &code, sizeof(code));
    }
    codes += classes * sizeof(typename Coding::Code);
  }
  return bytes;
}

template <typename Coding>
uint32_t CodeAt(const std::byte* codes, size_t index) {
  typename Coding::Code code;
  std::memcpy(&code, codes + index * sizeof(code), sizeof(code));
  return code;
}

// Why a row that holds something wrong is refused.
template <typename Coding>
absl::Status BadRow(std::string_view name, size_t row, float maximum, const std::byte* codes,
                    size_t classes) {
  size_t bad = 0;
  while (bad + 1 < classes && IsDistanceCode(Coding::kCode, CodeAt<Coding>(codes, bad))) ++bad;
  return absl::DataLossError(absl::StrCat(std::string(name), " label row ", row, ": maximum ",
                                          maximum, " or the code ", CodeAt<Coding>(codes, bad),
                                          " of class ", bad, " cannot come from an encoder"));
}

// `bytes` and `values` are of the right size.
template <typename Coding>
absl::Status DecodeShifted(std::string_view name, const Coding& coding, size_t rows, size_t classes,
                           std::span<const std::byte> bytes, std::span<float> values) {
  const size_t row_bytes = classes * sizeof(typename Coding::Code);
  for (size_t r = 0; r < rows; ++r) {
    float maximum;
    std::memcpy(&maximum, bytes.data() + r * sizeof(float), sizeof(maximum));
    const auto codes = bytes.subspan(rows * sizeof(float) + r * row_bytes, row_bytes);
    if (!std::isfinite(maximum) || !DecodeDistances(Coding::kCode, codes, maximum, coding.Step(),
                                                    values.subspan(r * classes, classes))) {
      return BadRow<Coding>(name, r, maximum, codes.data(), classes);
    }
  }
  return absl::OkStatus();
}

template <typename Coding>
class DenseHalf : public DenseCodec {
 public:
  std::string_view name() const override { return Coding::kName; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    return ShiftedBytes<Coding>(rows, classes);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels, const RowContext&) const override {
    ASSIGN_OR_RETURN(std::string bytes, EncodeShifted(Coding{}, labels));
    return EncodedLabels{std::move(bytes), ""};
  }

  absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    RETURN_IF_ERROR(CheckPayload(*this, rows, classes, parameters, 0, bytes, values));
    return DecodeShifted(name(), Coding{}, rows, classes, bytes, values);
  }
};

class LogProbU8 : public DenseCodec {
 public:
  LogProbU8(std::string name, int range) : name_(std::move(name)), range_(range) {
    ABSL_RAW_CHECK(range >= 1 && range <= kMaxLogProbRange, "range of log_prob_u8");
  }

  std::string_view name() const override { return name_; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    return ShiftedBytes<U8>(rows, classes);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels, const RowContext&) const override {
    ASSIGN_OR_RETURN(std::string bytes, EncodeShifted(U8{range_}, labels));
    return EncodedLabels{std::move(bytes),
                         std::string(reinterpret_cast<const char*>(&range_), sizeof(range_))};
  }

  absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    RETURN_IF_ERROR(CheckPayload(*this, rows, classes, parameters, sizeof(float), bytes, values));
    float range;
    std::memcpy(&range, parameters.data(), sizeof(range));
    if (!(range > 0 && range <= kMaxLogProbRange)) {
      return absl::DataLossError(absl::StrCat(
          name_, " labels over ", range, " nats: must be above 0 and at most ", kMaxLogProbRange));
    }
    return DecodeShifted(name_, U8{range}, rows, classes, bytes, values);
  }

 private:
  const std::string name_;
  const float range_;
};

}  // namespace

std::shared_ptr<const LabelCodec> MakeDenseFp32() { return std::make_shared<DenseFp32>(); }
std::shared_ptr<const LabelCodec> MakeDenseFp16() { return std::make_shared<DenseHalf<Fp16>>(); }
std::shared_ptr<const LabelCodec> MakeDenseBf16() { return std::make_shared<DenseHalf<Bf16>>(); }
std::shared_ptr<const LabelCodec> MakeLogProbU8(std::string name, int range) {
  return std::make_shared<LogProbU8>(std::move(name), range);
}

}  // namespace distill
