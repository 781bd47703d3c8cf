#include "common/bytes/little_endian.h"

namespace distill {

void ByteWriter::U32(uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
}

void ByteWriter::U64(uint64_t value) {
  U32(static_cast<uint32_t>(value));
  U32(static_cast<uint32_t>(value >> 32));
}

void ByteWriter::Text(std::string_view text) {
  U32(static_cast<uint32_t>(text.size()));
  Bytes(text);
}

std::string_view ByteReader::Bytes(size_t length) {
  if (!ok_ || length > left_.size()) {
    ok_ = false;
    left_ = {};
    return {};
  }
  const std::string_view bytes = left_.substr(0, length);
  left_.remove_prefix(length);
  return bytes;
}

uint64_t ByteReader::Number(size_t length) {
  const std::string_view bytes = Bytes(length);
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

}  // namespace distill
