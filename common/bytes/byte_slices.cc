#include "common/bytes/byte_slices.h"

#include <cstring>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "common/digest/crc32c.h"

namespace distill {

size_t ByteSlices::size() const {
  size_t size = 0;
  for (const std::string_view slice : slices) size += slice.size();
  return size;
}

ByteSlices SlicesOf(std::string bytes) {
  if (bytes.empty()) return {};
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {{*owner}, owner};
}

uint32_t Crc32c(const ByteSlices& bytes) {
  uint32_t crc = 0;
  for (const std::string_view slice : bytes.slices) crc = ExtendCrc32c(crc, slice);
  return crc;
}

bool CopyChecked(const ByteSlices& bytes, std::optional<uint32_t> crc32c, std::span<std::byte> to) {
  // Small enough to be still in the first cache when it is read again.
  constexpr size_t kAtOnce = 16 << 10;
  ABSL_RAW_CHECK(bytes.size() == to.size(), "a copy to a place of another size");
  uint32_t crc = 0;
  std::byte* at = to.data();
  for (std::string_view slice : bytes.slices) {
    while (!slice.empty()) {
      const std::string_view some = slice.substr(0, crc32c.has_value() ? kAtOnce : slice.size());
      std::memcpy(at, some.data(), some.size());
      if (crc32c.has_value()) crc = ExtendCrc32c(crc, some);
      at += some.size();
      slice.remove_prefix(some.size());
    }
  }
  return !crc32c.has_value() || crc == *crc32c;
}

}  // namespace distill
