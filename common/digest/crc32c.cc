#include "common/digest/crc32c.h"

#include <isa-l.h>

#include <algorithm>

namespace distill {

uint32_t Crc32c(std::string_view bytes) { return ExtendCrc32c(0, bytes); }

uint32_t Crc32c(std::span<const std::byte> bytes) {
  return Crc32c(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes) {
  // ISA-L leaves the inversion before and after to its caller, takes its length as an
  // int, and does not write through its pointer although that is not const.
  constexpr size_t kMaxPart = size_t{1} << 30;
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, std::min(bytes.size(), kMaxPart));
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(part.data()));
    state = crc32_iscsi(data, static_cast<int>(part.size()), state);
    bytes.remove_prefix(part.size());
  }
  return ~state;
}

}  // namespace distill
