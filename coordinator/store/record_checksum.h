// One checksum for everything the stores keep.
#ifndef COORDINATOR_STORE_RECORD_CHECKSUM_H_
#define COORDINATOR_STORE_RECORD_CHECKSUM_H_

#include <cstdint>
#include <string_view>

namespace distill {

// CRC-32 (zlib's) of the sequence, little-endian, and the payload: a record that
// was moved to another number is found out as well.
uint32_t RecordChecksum(uint64_t sequence, std::string_view payload);

}  // namespace distill

#endif  // COORDINATOR_STORE_RECORD_CHECKSUM_H_
