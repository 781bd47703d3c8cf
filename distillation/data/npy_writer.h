// The other way of npy_reader.h: a tensor as a .npy file.
#ifndef DISTILLATION_DATA_NPY_WRITER_H_
#define DISTILLATION_DATA_NPY_WRITER_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

// The bytes of a .npy file, format 1.0
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
// INVALID_ARGUMENT for bfloat16, which NumPy has no name for, and for a tensor on an accelerator.
absl::StatusOr<std::string> NpyBytes(const TensorView& tensor);

}  // namespace distill

#endif  // DISTILLATION_DATA_NPY_WRITER_H_
