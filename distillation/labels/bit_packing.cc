#include "distillation/labels/bit_packing.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/base/internal/raw_logging.h"

namespace distill {

int BitsFor(int64_t count) {
  ABSL_RAW_CHECK(count >= 1 && count <= (int64_t{1} << 31), "count of numbers to pack");
  return std::max(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(count - 1))));
}

uint64_t PackedBytes(int64_t count, int bits) {
  ABSL_RAW_CHECK(bits >= 1 && bits <= 31 && count >= 0 && count < (int64_t{1} << 32),
                 "size of packed numbers");
  return (static_cast<uint64_t>(count) * static_cast<uint64_t>(bits) + 7) / 8;
}

void PackBits(std::span<const int64_t> numbers, int bits, std::span<std::byte> bytes) {
  ABSL_RAW_CHECK(bytes.size() == PackedBytes(static_cast<int64_t>(numbers.size()), bits),
                 "room for packed numbers");
  uint64_t waiting = 0;
  int held = 0;
  size_t at = 0;
  for (const int64_t number : numbers) {
    ABSL_RAW_CHECK(number >= 0 && number < (int64_t{1} << bits), "number to pack");
    waiting |= static_cast<uint64_t>(number) << held;
    for (held += bits; held >= 8; held -= 8, waiting >>= 8) {
      bytes[at++] = static_cast<std::byte>(waiting & 0xff);
    }
  }
  if (held > 0) bytes[at] = static_cast<std::byte>(waiting);
}

bool UnpackBits(std::span<const std::byte> bytes, int bits, std::span<int64_t> numbers) {
  ABSL_RAW_CHECK(bytes.size() == PackedBytes(static_cast<int64_t>(numbers.size()), bits),
                 "size of packed numbers");
  static_assert(std::endian::native == std::endian::little, "eight bytes are read as a number");
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const size_t width = static_cast<size_t>(bits);
  // A number lies within the eight bytes from its first one on: bits + 7 <= 64.
  size_t i = 0;
  for (; i < numbers.size() && i * width / 8 + sizeof(uint64_t) <= bytes.size(); ++i) {
    uint64_t window;
    std::memcpy(&window, bytes.data() + i * width / 8, sizeof(window));
    numbers[i] = static_cast<int64_t>(window >> (i * width % 8) & mask);
  }
  for (; i < numbers.size(); ++i) {
    const size_t first = i * width / 8;
    uint64_t window = 0;
    std::memcpy(&window, bytes.data() + first, bytes.size() - first);
    numbers[i] = static_cast<int64_t>(window >> (i * width % 8) & mask);
  }
  const size_t used = numbers.size() * width % 8;
  return used == 0 || static_cast<uint8_t>(bytes.back()) >> used == 0;
}

}  // namespace distill
