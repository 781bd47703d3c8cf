// The safetensors format, in which weights and other tensors are stored: reading one
// runs no code of its author. An 8-byte little-endian length, a JSON header of that
// length, then the elements, row-major and little-endian.
// https://github.com/huggingface/safetensors#format
#ifndef COMMON_SAFETENSORS_SAFETENSORS_H_
#define COMMON_SAFETENSORS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

struct Safetensors {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;  // "__metadata__" of the header.
};

// Bounds on a header, against a file made to exhaust the memory.
struct SafetensorsLimits {
  size_t max_header_bytes = size_t{16} << 20;
  size_t max_tensors = 100'000;
  size_t max_dims = 16;
};

// Reads `bytes`, which may come from anybody. The tensors point into `bytes`, which
// `owner` keeps alive (null: the caller does); one that lies unaligned for its type is
// copied. Every byte after the header belongs to exactly one tensor.
// INVALID_ARGUMENT, naming `file` and where possible the tensor: the file is damaged
// or is none of this format; get it anew. RESOURCE_EXHAUSTED: a limit is passed.
// UNIMPLEMENTED: an element type that TensorView lacks; convert the file.
absl::StatusOr<Safetensors> ParseSafetensors(std::span<const std::byte> bytes,
                                             std::shared_ptr<const void> owner,
                                             const std::string& file,
                                             const SafetensorsLimits& limits = {});

// Reads a file of at most `max_bytes` into memory, which the tensors share. As
// ParseSafetensors, and the errors of FileSystem::Read.
absl::StatusOr<Safetensors> ReadSafetensors(FileSystem& files, const std::string& path,
                                            size_t max_bytes, const SafetensorsLimits& limits = {});

// The file as a string. Equal contents give equal bytes: keys are sorted, and elements
// lie by falling size of their type, then by name, which with the header padded to a
// multiple of 8 aligns each tensor. INVALID_ARGUMENT, naming the tensor: it is not in
// host memory, its bytes do not fill its shape, or a name is "__metadata__", not UTF-8,
// or empty.
absl::StatusOr<std::string> SerializeSafetensors(const Safetensors& contents);

// SerializeSafetensors and WriteFileAtomically, with the errors of both.
absl::Status WriteSafetensors(FileSystem& files, const std::string& path,
                              const Safetensors& contents);

}  // namespace distill

#endif  // COMMON_SAFETENSORS_SAFETENSORS_H_
