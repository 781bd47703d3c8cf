// A model that is a program in a file rather than an architecture: what its configuration may
// say. Without LibTorch.
#ifndef DISTILLATION_MODELS_MODEL_FILE_H_
#define DISTILLATION_MODELS_MODEL_FILE_H_

#include <string_view>

#include "absl/status/status.h"
#include "proto/run_config.pb.h"

namespace distill {

// Whether the model comes from a file.
bool IsProgram(const v1::ModelConfig& config);

// Of a program: where it is, and what it says of itself.
const v1::ModelFile& ProgramFile(const v1::ModelConfig& config);

// INVALID_ARGUMENT, naming the field, for a program whose configuration cannot be: a path that
// leaves the directory, a digest that is none, names used twice or taken, examples that no memory
// holds, or fields of an architecture.
absl::Status CheckProgram(const v1::ModelConfig& config);

// A path below a directory, by its text: not empty, relative, and without "." and "..".
absl::Status CheckPathBelow(std::string_view path);

}  // namespace distill

#endif  // DISTILLATION_MODELS_MODEL_FILE_H_
