// The JSON header of a safetensors file, as text and as values.
#ifndef COMMON_SAFETENSORS_HEADER_H_
#define COMMON_SAFETENSORS_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace distill::safetensors_internal {

// One entry as written, of which only the form has been checked.
struct HeaderEntry {
  std::string dtype;
  std::vector<int64_t> shape;  // Not negative.
  uint64_t begin = 0;          // Bytes from the end of the header.
  uint64_t end = 0;
};

struct Header {
  std::map<std::string, HeaderEntry> tensors;
  std::map<std::string, std::string> metadata;
};

struct HeaderLimits {
  size_t max_tensors;
  size_t max_dims;
};

// INVALID_ARGUMENT or RESOURCE_EXHAUSTED, naming the tensor where there is one.
// Refuses: what is not JSON, names given twice, unknown or missing fields, values of
// another type, numbers that are negative, fractional or above 2^63 - 1, more nesting
// than the format has.
absl::StatusOr<Header> ParseHeader(std::string_view json, const HeaderLimits& limits);

// The header with its keys sorted, padded with spaces to a multiple of 8 bytes.
// INVALID_ARGUMENT for text that is not UTF-8.
absl::StatusOr<std::string> FormatHeader(const Header& header);

// A name in an error: quoted, escaped, cut to 100 bytes.
std::string Quoted(std::string_view name);

}  // namespace distill::safetensors_internal

#endif  // COMMON_SAFETENSORS_HEADER_H_
