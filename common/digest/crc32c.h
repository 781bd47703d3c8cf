// CRC-32C (Castagnoli; RFC 3720, appendix B.4): finds damage in stored or sent bytes. It
// is no defence against an author who wants to deceive; see sha256.h for that.
#ifndef COMMON_DIGEST_CRC32C_H_
#define COMMON_DIGEST_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace distill {

// Crc32c("123456789") == 0xE3069283.
uint32_t Crc32c(std::string_view bytes);
uint32_t Crc32c(std::span<const std::byte> bytes);

// The CRC of a + b from that of a: ExtendCrc32c(Crc32c(a), b) == Crc32c(a + b).
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);

}  // namespace distill

#endif  // COMMON_DIGEST_CRC32C_H_
