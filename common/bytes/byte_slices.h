// Bytes that lie in several places: as they came from the network, or wait to go there.
#ifndef COMMON_BYTES_BYTE_SLICES_H_
#define COMMON_BYTES_BYTE_SLICES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace distill {

// The slices joined, in order. Copying it copies none of the bytes, which are read-only
// for every holder.
struct ByteSlices {
  std::vector<std::string_view> slices;
  // Keeps the bytes alive; null where somebody else does.
  std::shared_ptr<const void> owner;

  size_t size() const;
};

// One slice that owns `bytes`; none when they are empty.
ByteSlices SlicesOf(std::string bytes);

uint32_t Crc32c(const ByteSlices& bytes);

// Copies to `to`, which is as long. With `crc32c`, computes that of the bytes on the way,
// so that memory is read once, and returns whether they agree.
bool CopyChecked(const ByteSlices& bytes, std::optional<uint32_t> crc32c, std::span<std::byte> to);

}  // namespace distill

#endif  // COMMON_BYTES_BYTE_SLICES_H_
