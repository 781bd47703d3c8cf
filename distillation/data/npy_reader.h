// NumPy's .npy format, versions 1.0, 2.0 and 3.0:
//   bytes 0-5 "\x93NUMPY", 6 major and 7 minor version, then the little-endian length
//   of the header (2 bytes in version 1.0, otherwise 4), then the header, a Python
//   dictionary of 'descr', 'fortran_order' and 'shape' padded with blanks, then the
//   elements, the last dimension fastest.
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef DISTILLATION_DATA_NPY_READER_H_
#define DISTILLATION_DATA_NPY_READER_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/run_config.pb.h"

namespace distill {

// Bound on a file's bytes, against one that fills memory.
inline constexpr size_t kMaxNpyBytes = size_t{4} << 30;

// Reads float16, float32, float64, uint8, int32 or int64, of any shape ([] is a single
// element). The bytes are aligned for their type. Thread-safe where `files` is. Nothing
// in the file is evaluated or unpickled. Every message names the file.
//   NOT_FOUND and others of FileSystem: it cannot be read
//   DATA_LOSS: truncated, or altered (another digest): get it anew
//   INVALID_ARGUMENT: not .npy; elements of another type, big-endian or in Fortran
//     order, where the message gives the NumPy call that converts them; a header that
//     NumPy does not write; bytes beyond the last element
//   OUT_OF_RANGE: larger than `max_bytes`, or a shape of more than 2^63 - 1 bytes
absl::StatusOr<TensorView> ReadNpy(FileSystem& files, const v1::ArrayFile& file,
                                   size_t max_bytes = kMaxNpyBytes);

}  // namespace distill

#endif  // DISTILLATION_DATA_NPY_READER_H_
