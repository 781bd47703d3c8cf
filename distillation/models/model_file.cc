#include "distillation/models/model_file.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/architecture.h"

namespace distill {
namespace {

constexpr int kMaxDims = 8;
constexpr int kMaxOutputs = 64;

bool IsSha256(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

bool IsProgram(const v1::ModelConfig& config) {
  return config.program_case() != v1::ModelConfig::PROGRAM_NOT_SET;
}

const v1::ModelFile& ProgramFile(const v1::ModelConfig& config) {
  return config.has_aot_inductor() ? config.aot_inductor() : config.torch_script();
}

absl::Status CheckPathBelow(std::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("no file is named");
  for (const auto part : absl::StrSplit(absl::string_view(path.data(), path.size()), '/')) {
    if (!part.empty() && part != "." && part != "..") continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", std::string(path), "' is not a path below the model directory; write it ",
                     "relative to that, without '.' and '..'"));
  }
  return absl::OkStatus();
}

absl::Status CheckProgram(const v1::ModelConfig& config) {
  if (!config.architecture().empty() || config.widths_size() > 0 || config.strides_size() > 0 ||
      config.batch_norm() || config.global_average_pool()) {
    return absl::InvalidArgumentError(
        "architecture and its sizes do not go with a model from a file; remove one or the other");
  }
  const v1::ModelFile& file = ProgramFile(config);
  RETURN_IF_ERROR(CheckPathBelow(file.file()));
  if (!file.sha256().empty() && !IsSha256(file.sha256())) {
    return absl::InvalidArgumentError("sha256: a SHA-256 has 64 digits of 0-9 and a-f");
  }
  if (file.example_dims_size() > kMaxDims ||
      std::ranges::any_of(file.example_dims(), [](uint32_t dim) { return dim == 0; })) {
    return absl::InvalidArgumentError(
        absl::StrCat("example_dims: at most ", kMaxDims, " numbers, each at least 1"));
  }
  const std::vector<int64_t> dims(file.example_dims().begin(), file.example_dims().end());
  if (const auto elements = CheckedElements(dims, sizeof(float)); !elements.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("example_dims: ", elements.status().message(),
                                                   "; write the shape of one example"));
  }
  if (file.outputs_size() < 1 || file.outputs_size() > kMaxOutputs) {
    return absl::InvalidArgumentError(absl::StrCat("outputs: 1 to ", kMaxOutputs, " names"));
  }
  std::set<std::string> seen;
  for (const std::string& name : file.outputs()) {
    if (name == kHiddenStates) {
      return absl::InvalidArgumentError(
          absl::StrCat("outputs: '", name, "' is what the hidden states of an architecture are ",
                       "called; rename this output in the program and here"));
    }
    if (!name.empty() && seen.insert(name).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("outputs: '", name, "' is empty or used twice; names are unique"));
  }
  return absl::OkStatus();
}

}  // namespace distill
