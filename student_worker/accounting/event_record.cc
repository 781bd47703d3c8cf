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

bool TakeEventRecord(std::string_view& bytes, tensorboard::Event& event) {
  ByteReader reader(bytes);
  const uint64_t length = reader.U64();
  const uint32_t length_crc = reader.U32();
  if (!reader.ok() || length_crc != MaskedCrc(bytes.substr(0, sizeof(length)))) return false;
  const std::string_view message = reader.Bytes(length);
  const uint32_t crc = reader.U32();
  if (!reader.ok() || crc != MaskedCrc(message)) return false;
  if (!event.ParseFromArray(message.data(), static_cast<int>(message.size()))) return false;
  bytes.remove_prefix(bytes.size() - reader.left());
  return true;
}

}  // namespace distill
