#include "coordinator/store/record_checksum.h"

#include <zlib.h>

namespace distill {

uint32_t RecordChecksum(uint64_t sequence, std::string_view payload) {
  unsigned char head[8];
  for (int i = 0; i < 8; ++i) head[i] = static_cast<unsigned char>(sequence >> (8 * i));
  uLong crc = crc32_z(0, head, sizeof(head));
  crc = crc32_z(crc, reinterpret_cast<const unsigned char*>(payload.data()), payload.size());
  return static_cast<uint32_t>(crc);
}

}  // namespace distill
