#include "distillation/labels/codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "distillation/labels/half.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "payloads are little-endian");

// Checks the shape for every codec; the result fits 2^63 - 1 bytes as float32 with a
// float32 more in each row.
absl::StatusOr<int64_t> CheckedShape(int64_t rows, int64_t classes) {
  if (rows < 0 || classes < 1) {
    return absl::InvalidArgumentError(absl::StrCat("labels of shape [", rows, ", ", classes,
                                                   "]: rows must be >= 0 and classes >= 1"));
  }
  const std::array<int64_t, 2> dims = {rows, classes};
  // Eight bytes an element: room for one float32 in each row beside the values.
  return CheckedElements(dims, 8);
}

absl::Status CheckInput(const TensorView& labels) {
  if (labels.type != ElementType::kFloat32 || labels.dims.size() != 2 || labels.device != -1) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels to encode must be float32 [rows, classes] in host memory, not ",
                     ElementTypeName(labels.type), " with ", labels.dims.size(),
                     " dimensions on device ", labels.device));
  }
  ASSIGN_OR_RETURN(const int64_t elements, CheckedShape(labels.dims[0], labels.dims[1]));
  if (labels.bytes.size() != static_cast<size_t>(elements) * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat("labels to encode have ", labels.bytes.size(),
                                                   " bytes, their shape says ",
                                                   elements * sizeof(float)));
  }
  return CheckFiniteRows(labels.as<float>(), labels.dims[1]);
}

// What any payload must satisfy before it is read.
absl::Status CheckPayload(const LabelCodec& codec, int64_t rows, int64_t classes,
                          std::string_view parameters, size_t bytes, size_t values) {
  const auto expected = codec.EncodedBytes(rows, classes);
  if (!expected.ok()) return absl::DataLossError(expected.status().message());
  const uint64_t elements = static_cast<uint64_t>(rows) * static_cast<uint64_t>(classes);
  if (bytes != *expected || values != elements || !parameters.empty()) {
    return absl::DataLossError(absl::StrCat(
        std::string(codec.name()), " labels [", rows, ", ", classes, "] take ", *expected,
        " bytes, no parameters and ", elements, " values; found ", bytes, " bytes, ",
        parameters.size(), " bytes of parameters and room for ", values, " values"));
  }
  return absl::OkStatus();
}

class DenseFp32 : public LabelCodec {
 public:
  std::string_view name() const override { return "dense_fp32"; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    ASSIGN_OR_RETURN(const int64_t elements, CheckedShape(rows, classes));
    return static_cast<uint64_t>(elements) * sizeof(float);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels) const override {
    RETURN_IF_ERROR(CheckInput(labels));
    return EncodedLabels{
        std::string(reinterpret_cast<const char*>(labels.bytes.data()), labels.bytes.size()), ""};
  }

  absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    RETURN_IF_ERROR(CheckPayload(*this, rows, classes, parameters, bytes.size(), values.size()));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return CheckFiniteRows(values, classes);
  }
};

class DenseFp16 : public LabelCodec {
 public:
  std::string_view name() const override { return "dense_fp16"; }

  absl::StatusOr<uint64_t> EncodedBytes(int64_t rows, int64_t classes) const override {
    ASSIGN_OR_RETURN(const int64_t elements, CheckedShape(rows, classes));
    return static_cast<uint64_t>(rows) * sizeof(float) +
           static_cast<uint64_t>(elements) * sizeof(uint16_t);
  }

  absl::StatusOr<EncodedLabels> Encode(const TensorView& labels) const override {
    RETURN_IF_ERROR(CheckInput(labels));
    const size_t rows = static_cast<size_t>(labels.dims[0]);
    const size_t classes = static_cast<size_t>(labels.dims[1]);
    ASSIGN_OR_RETURN(const uint64_t size, EncodedBytes(labels.dims[0], labels.dims[1]));
    EncodedLabels encoded;
    encoded.bytes.resize(size);
    char* maxima = encoded.bytes.data();
    char* halves = maxima + rows * sizeof(float);
    for (size_t r = 0; r < rows; ++r) {
      const auto row = labels.as<float>().subspan(r * classes, classes);
      const float maximum = *std::max_element(row.begin(), row.end());
      std::memcpy(maxima + r * sizeof(float), &maximum, sizeof(float));
      for (size_t c = 0; c < classes; ++c) {
        // The difference may overflow to -infinity; the clamp holds it too.
        const uint16_t half = HalfFromFloat(std::max(row[c] - maximum, -kMaxHalf));
        std::memcpy(halves + (r * classes + c) * sizeof(half), &half, sizeof(half));
      }
    }
    return encoded;
  }

  absl::Status Decode(int64_t rows, int64_t classes, std::string_view parameters,
                      std::span<const std::byte> bytes, std::span<float> values) const override {
    RETURN_IF_ERROR(CheckPayload(*this, rows, classes, parameters, bytes.size(), values.size()));
    const std::byte* halves = bytes.data() + static_cast<size_t>(rows) * sizeof(float);
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t row = i / static_cast<size_t>(classes);
      float maximum;
      std::memcpy(&maximum, bytes.data() + row * sizeof(float), sizeof(maximum));
      uint16_t half;
      std::memcpy(&half, halves + i * sizeof(half), sizeof(half));
      const float shifted = FloatFromHalf(half);
      // Written so that a NaN fails too.
      if (!std::isfinite(maximum) || !(shifted <= 0.0f && shifted >= -kMaxHalf)) {
        return absl::DataLossError(absl::StrCat(
            "dense_fp16 label row ", row, ", class ", i % static_cast<size_t>(classes),
            ": maximum ", maximum, " and distance ", shifted, " cannot come from an encoder"));
      }
      values[i] = maximum + shifted;
    }
    return absl::OkStatus();
  }
};

// In order of exactness. Never destroyed, so that threads may outlive main.
const std::array<const LabelCodec*, 2>& Codecs() {
  static const auto* const codecs =
      new std::array<const LabelCodec*, 2>{new DenseFp32, new DenseFp16};
  return *codecs;
}

}  // namespace

absl::StatusOr<const LabelCodec*> FindCodec(std::string_view name) {
  for (const LabelCodec* codec : Codecs()) {
    if (codec->name() == name) return codec;
  }
  return absl::UnimplementedError(
      absl::StrCat("label codec '", std::string(name),
                   "' is unknown; use one of: ", absl::StrJoin(CodecNames(), ", ")));
}

std::vector<std::string> CodecNames() {
  std::vector<std::string> names;
  for (const LabelCodec* codec : Codecs()) names.emplace_back(codec->name());
  return names;
}

absl::StatusOr<std::string> Negotiate(std::span<const std::string> preferences,
                                      std::span<const std::string> supported) {
  for (const std::string& name : preferences) {
    if (std::find(supported.begin(), supported.end(), name) != supported.end()) return name;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "no common label codec: asked for [", absl::StrJoin(preferences, ", "), "], supported are [",
      absl::StrJoin(supported, ", "), "]; set labels.codecs of the run to a supported one"));
}

}  // namespace distill
