#include "distillation/labels/head_section.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/section.h"

namespace distill {
namespace {

constexpr char kWeight[] = "head.weight";
constexpr char kBias[] = "head.bias";
// Bit for bit: it is sent once, and errs in every label.
constexpr char kCodec[] = "dense_fp32";

absl::Status Append(const char* name, const TensorView& tensor, EncodedHead& encoded) {
  // A bias is one row.
  TensorView matrix = tensor;
  if (matrix.dims.size() == 1) matrix.dims.insert(matrix.dims.begin(), 1);
  ASSIGN_OR_RETURN(const auto codec, FindCodec(kCodec));
  auto bytes = codec->Encode(matrix);
  if (!bytes.ok()) return Annotate(bytes.status(), name);
  uint64_t offset = 0;
  for (const std::string& before : encoded.payload) offset += before.size();
  ASSIGN_OR_RETURN(v1::Section section,
                   SectionFor(name, *codec, matrix.dims[0], matrix.dims[1], *bytes, offset));
  section.mutable_dims()->Assign(tensor.dims.begin(), tensor.dims.end());
  encoded.sections.push_back(std::move(section));
  encoded.payload.push_back(std::move(bytes->bytes));
  return absl::OkStatus();
}

absl::StatusOr<TensorView> Tensor(const char* name, const v1::Section& section, int dims,
                                  std::span<const std::byte> payload) {
  if (section.output() != name || section.codec() != kCodec || section.dims_size() != dims) {
    return absl::DataLossError(absl::StrCat(
        "section '", section.output(), "' with ", section.dims_size(), " dimensions in ",
        section.codec(), " came where ", name, " with ", dims, " in ", kCodec, " belongs"));
  }
  v1::Section matrix = section;
  if (dims == 1) {
    matrix.clear_dims();
    matrix.add_dims(1);
    matrix.add_dims(section.dims(0));
  }
  ASSIGN_OR_RETURN(TensorView tensor, DecodeSection(matrix, payload));
  if (dims == 1) tensor.dims.erase(tensor.dims.begin());
  return tensor;
}

}  // namespace

absl::StatusOr<EncodedHead> EncodeHead(const LabelHead& head) {
  if (head.weight.dims.size() != 2 || head.bias.dims.size() != 1 ||
      head.weight.dims[0] != head.bias.dims[0]) {
    return absl::InvalidArgumentError(
        "a head is a weight [classes, features] and a bias [classes]");
  }
  EncodedHead encoded;
  RETURN_IF_ERROR(Append(kWeight, head.weight, encoded));
  RETURN_IF_ERROR(Append(kBias, head.bias, encoded));
  return encoded;
}

absl::StatusOr<LabelHead> DecodeHead(std::span<const v1::Section> sections,
                                     std::span<const std::byte> payload, int64_t classes) {
  if (sections.size() != 2) {
    return absl::DataLossError(absl::StrCat("a head of ", sections.size(), " sections instead of ",
                                            kWeight, " and ", kBias));
  }
  LabelHead head;
  ASSIGN_OR_RETURN(head.weight, Tensor(kWeight, sections[0], 2, payload));
  ASSIGN_OR_RETURN(head.bias, Tensor(kBias, sections[1], 1, payload));
  if (head.weight.dims[0] != classes || head.bias.dims[0] != classes) {
    return absl::DataLossError(absl::StrCat("a head whose weight has ", head.weight.dims[0],
                                            " classes and its bias ", head.bias.dims[0],
                                            "; the run's data set has ", classes));
  }
  return head;
}

}  // namespace distill
