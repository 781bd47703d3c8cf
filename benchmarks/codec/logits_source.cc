#include "benchmarks/codec/logits_source.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/data/npy_reader.h"
#include "distillation/labels/synthetic_logits.h"

namespace distill {
namespace {

absl::StatusOr<TensorView> ReadFile(FileSystem& files, const LogitsSource& source) {
  v1::ArrayFile file;
  file.set_path(source.npy_path);
  ASSIGN_OR_RETURN(TensorView logits, ReadNpy(files, file));
  if (logits.type != ElementType::kFloat32 || logits.dims.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.npy_path, " holds ", ElementTypeName(logits.type), " with ",
                     logits.dims.size(), " dimensions, not float32 [rows, classes]"));
  }
  logits.dims[0] = std::min(logits.dims[0], source.rows);
  logits.bytes =
      logits.bytes.first(static_cast<size_t>(logits.dims[0] * logits.dims[1]) * sizeof(float));
  return logits;
}

}  // namespace

absl::StatusOr<TensorView> ReadLogits(FileSystem& files, const LogitsSource& source) {
  if (!source.npy_path.empty()) return ReadFile(files, source);
  const bool language_model = source.generator == "language_model";
  if (!language_model && source.generator != "normal") {
    return absl::InvalidArgumentError(absl::StrCat("generator '", source.generator,
                                                   "' is unknown; use language_model or normal"));
  }
  std::vector<float> values;
  for (uint64_t row = 0; row < static_cast<uint64_t>(source.rows); ++row) {
    const std::vector<float> logits = language_model
                                          ? LanguageModelLogits(source.seed, row, source.classes)
                                          : NormalLogits(source.seed, row, source.classes, 0, 4);
    values.insert(values.end(), logits.begin(), logits.end());
  }
  return MakeTensorView(ElementType::kFloat32, {source.rows, source.classes}, std::move(values));
}

}  // namespace distill
