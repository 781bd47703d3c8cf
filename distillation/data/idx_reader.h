// The IDX format of the MNIST family: big-endian header, then unsigned bytes.
//   bytes 0-1 zero, byte 2 type (0x08: unsigned byte), byte 3 number of dimensions,
//   then a 4-byte size per dimension, then the elements, the last dimension fastest.
#ifndef DISTILLATION_DATA_IDX_READER_H_
#define DISTILLATION_DATA_IDX_READER_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/run_config.pb.h"

namespace distill {

// Bound on a file's uncompressed bytes, against a small file made to fill memory.
inline constexpr size_t kMaxIdxBytes = size_t{4} << 30;

// Reads a file, plain or gzip, into uint8 [n, ...]. When file.sha256() is set, it is
// that of the uncompressed bytes. Every message names the file.
//   NOT_FOUND and others of FileSystem: it cannot be read
//   DATA_LOSS: truncated, altered (another digest), or damaged gzip: get it anew
//   INVALID_ARGUMENT: not IDX, elements other than unsigned bytes, sizes that do not
//     fit the bytes there are
//   RESOURCE_EXHAUSTED: more than `max_bytes` uncompressed
absl::StatusOr<TensorView> ReadIdx(FileSystem& files, const v1::ArrayFile& file,
                                   size_t max_bytes = kMaxIdxBytes);

}  // namespace distill

#endif  // DISTILLATION_DATA_IDX_READER_H_
