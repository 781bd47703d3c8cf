#include "distillation/labels/dense_codecs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
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
};

// Binary16 distances.
struct Fp16 {
  using Code = uint16_t;
  static constexpr std::string_view kName = "dense_fp16";
  // The difference may overflow to -infinity; the clamp holds it too.
  Code Encode(float shifted) const { return HalfFromFloat(std::max(shifted, -kMaxHalf)); }
  float Decode(Code code) const { return FloatFromHalf(code); }
  static constexpr float kLowest = -kMaxHalf;
};

struct Bf16 {
  using Code = uint16_t;
  static constexpr std::string_view kName = "dense_bf16";
  Code Encode(float shifted) const { return BFloat16FromFloat(std::max(shifted, kLowest)); }
  float Decode(Code code) const { return FloatFromBFloat16(code); }
  static constexpr float kLowest = -kMaxBFloat16;
};

// Steps of range / 255.
struct U8 {
  using Code = uint8_t;
  float range;
  Code Encode(float shifted) const {
    const double distance = std::min(-static_cast<double>(shifted), static_cast<double>(range));
    return static_cast<Code>(std::nearbyint(distance * 255 / range));
  }
  float Decode(Code code) const { return static_cast<float>(code * (range / -255.0)); }
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
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
    for (const float value : row) {
      const typename Coding::Code code = coding.Encode(value - maximum);
      std::memcpy(codes, &code, sizeof(code));
      codes += sizeof(code);
    }
  }
  return bytes;
}

// `bytes` and `values` are of the right size.
template <typename Coding>
absl::Status DecodeShifted(std::string_view name, const Coding& coding, size_t rows, size_t classes,
                           std::span<const std::byte> bytes, std::span<float> values) {
  const std::byte* codes = bytes.data() + rows * sizeof(float);
  for (size_t r = 0; r < rows; ++r) {
    float maximum;
    std::memcpy(&maximum, bytes.data() + r * sizeof(float), sizeof(maximum));
    for (size_t c = 0; c < classes; ++c) {
      typename Coding::Code code;
      std::memcpy(&code, codes, sizeof(code));
      codes += sizeof(code);
      const float shifted = coding.Decode(code);
      // Written so that a NaN fails too.
      if (!std::isfinite(maximum) || !(shifted <= 0.0f && shifted >= Coding::kLowest)) {
        return absl::DataLossError(absl::StrCat(std::string(name), " label row ", r, ", class ", c,
                                                ": maximum ", maximum, " and distance ", shifted,
                                                " cannot come from an encoder"));
      }
      // A distance that was rounded up must not lead beyond the finite floats.
      values[r * classes + c] = std::max(maximum + shifted, std::numeric_limits<float>::lowest());
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
