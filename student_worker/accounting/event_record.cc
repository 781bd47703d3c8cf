#include "student_worker/accounting/event_record.h"

#include <bit>
#include <cstdint>
#include <string_view>

#include "common/bytes/little_endian.h"
#include "common/digest/crc32c.h"

namespace distill {
namespace {

uint32_t MaskedCrc(std::string_view bytes) { return std::rotr(Crc32c(bytes), 15) + 0xa282ead8u; }

}  // namespace

std::string EventRecord(const tensorboard::Event& event) {
  const std::string message = event.SerializeAsString();
  ByteWriter record;
  record.U64(message.size());
  record.U32(MaskedCrc(record.bytes()));
  record.Bytes(message);
  record.U32(MaskedCrc(message));
  return record.Take();
}

}  // namespace distill
