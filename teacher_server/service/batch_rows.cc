#include "teacher_server/service/batch_rows.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/bytes/byte_slices.h"
#include "common/random/random.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/labels/section.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

struct Encoded {
  ByteSlices payload;
  std::string parameters;
};

// The runner's own memory is sent where it is the payload, can be held, and `labels` are the whole
// of it: of a part, all would stay in memory and only the part be counted.
absl::StatusOr<Encoded> Encode(const TensorView& labels, bool whole, const LabelCodec& codec,
                               const RowContext& context) {
  if (whole && labels.owner != nullptr && codec.payload_is_the_labels()) {
    RETURN_IF_ERROR(CheckLabelsToEncode(labels));
    const std::string_view bytes(reinterpret_cast<const char*>(labels.bytes.data()),
                                 labels.bytes.size());
    return Encoded{ByteSlices{{bytes}, labels.owner}, ""};
  }
  ASSIGN_OR_RETURN(EncodedLabels encoded, codec.Encode(labels, context));
  return Encoded{SlicesOf(std::move(encoded.bytes)), std::move(encoded.parameters)};
}

}  // namespace

const std::string& ComputedOutput(const LabelCodec& codec, const std::string& output) {
  static const auto* const hidden = new std::string(kHiddenOutput);
  return codec.layout() == LabelLayout::kHidden ? *hidden : output;
}

absl::Status CheckResult(const InferenceResult& result, const std::vector<std::string>& outputs,
                         int64_t rows, int64_t classes, int64_t features) {
  if (result.outputs.size() != outputs.size()) {
    return absl::InternalError(absl::StrCat("the model gave ", result.outputs.size(),
                                            " outputs instead of ", outputs.size()));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorView& output = result.outputs[i];
    const int64_t width = outputs[i] == kHiddenOutput ? features : classes;
    if (output.type != ElementType::kFloat32 || output.device != -1 ||
        output.dims != std::vector<int64_t>{rows, width}) {
      return absl::InternalError(absl::StrCat("the model's output ", outputs[i],
                                              " is not float32 [", rows, ", ", width, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCopies(const InferenceResult& result, const std::vector<std::string>& outputs,
                         const TensorView& examples) {
  if (examples.dims[0] == 0) return absl::OkStatus();
  const size_t row_bytes = examples.bytes.size() / static_cast<size_t>(examples.dims[0]);
  const auto bytes_of = [&](int64_t row) {
    return examples.bytes.data() + static_cast<size_t>(row) * row_bytes;
  };
  const auto same_input = [&](int64_t row, int64_t other) {
    return std::memcmp(bytes_of(row), bytes_of(other), row_bytes) == 0;
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorView& output = result.outputs[i];
    const absl::Status distinct = CheckDistinctRows(output.as<float>(), output.dims[1], same_input);
    if (!distinct.ok()) return Annotate(distinct, absl::StrCat("output ", outputs[i]));
  }
  return absl::OkStatus();
}

std::vector<uint64_t> RowKeys(const LabelCodec& codec, const v1::ExampleRefs& refs) {
  std::vector<uint64_t> keys;
  if (codec.layout() != LabelLayout::kSparse) return keys;
  for (int i = 0; i < refs.ids_size(); ++i) {
    keys.push_back(
        Mix(refs.split(), refs.ids(i), refs.view_seeds_size() > 0 ? refs.view_seeds(i) : 0));
  }
  return keys;
}

absl::StatusOr<LabelAnswer> EncodeRows(const InferenceResult& result,
                                       const std::vector<std::string>& outputs, int64_t first,
                                       int64_t rows, const std::vector<std::string>& wanted,
                                       const LabelCodec& codec, std::span<const uint64_t> keys) {
  LabelAnswer answer;
  uint64_t offset = 0;
  for (const std::string& name : wanted) {
    const size_t index =
        std::find(outputs.begin(), outputs.end(), ComputedOutput(codec, name)) - outputs.begin();
    const TensorView& whole = result.outputs.at(index);
    const int64_t classes = whole.dims[1];
    const size_t row_bytes = static_cast<size_t>(classes) * sizeof(float);
    TensorView part = whole;
    part.dims[0] = rows;
    part.bytes = whole.bytes.subspan(first * row_bytes, rows * row_bytes);
    // That they are finite is the codec's to say. All units of a hidden state may be off.
    if (codec.layout() != LabelLayout::kHidden) {
      if (absl::Status varied = CheckVariedRows(part.as<float>(), classes); !varied.ok()) {
        return Annotate(varied, absl::StrCat("output ", name));
      }
    }
    absl::StatusOr<Encoded> encoded =
        Encode(part, /*whole=*/rows == whole.dims[0], codec, {.ids = {}, .keys = keys});
    if (!encoded.ok()) return Annotate(encoded.status(), absl::StrCat("output ", name));
    const size_t bytes = encoded->payload.size();
    ASSIGN_OR_RETURN(v1::Section section,
                     SectionFor(name, codec, rows, classes, bytes, encoded->parameters, offset));
    offset += bytes;
    answer.sections.push_back(std::move(section));
    answer.payload.push_back(std::move(encoded->payload));
  }
  return answer;
}

}  // namespace distill
