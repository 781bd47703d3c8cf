#include "distillation/labels/bit_packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "absl/base/internal/raw_logging.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "eight bytes are read as a number");

constexpr size_t kMaxWidth = 31;

// Rows of `count` numbers of `width` bits each, `row_bytes` a row.
struct Rows {
  std::span<const std::byte> bytes;
  size_t width, rows, count, row_bytes;
  int64_t* numbers;
};

[[gnu::always_inline]] inline Rows CheckedRows(std::span<const std::byte> bytes, int bits,
                                               size_t rows, std::span<int64_t> numbers) {
  ABSL_RAW_CHECK(rows == 0 ? numbers.empty() : numbers.size() % rows == 0, "numbers of a row");
  const size_t count = rows == 0 ? 0 : numbers.size() / rows;
  const uint64_t row_bytes = PackedBytes(static_cast<int64_t>(count), bits);
  ABSL_RAW_CHECK(bytes.size() == rows * row_bytes, "size of packed numbers");
  return {bytes, static_cast<size_t>(bits), rows, count, row_bytes, numbers.data()};
}

// Whether the bits of the row's last byte that are left over are clear.
bool RestIsClear(const Rows& all, const std::byte* row) {
  const size_t used = all.count * all.width % 8;
  return used == 0 || static_cast<uint8_t>(row[all.row_bytes - 1]) >> used == 0;
}

// The numbers of the row at `row` from the i-th on. What it needs of `all` is in locals: a number
// that is stored might be part of it.
[[gnu::always_inline]] inline void UnpackFrom(size_t i, const Rows& all, const std::byte* row,
                                              int64_t* numbers) {
  const size_t width = all.width, count = all.count;
  const uint64_t mask = (uint64_t{1} << width) - 1;
  auto size = static_cast<size_t>(all.bytes.data() + all.bytes.size() - row);
  std::byte padded[sizeof(uint64_t)] = {};
  if (size < sizeof(uint64_t)) {
    std::copy_n(row, size, padded);
    row = padded;
    size = sizeof(uint64_t);
  }
  // A number lies within the eight bytes from its first one on, since bits + 7 <= 64, and within
  // the last eight where there are fewer from there on.
  const size_t last = size - sizeof(uint64_t);
  uint64_t window;
  for (; i < count && i * width / 8 < last; ++i) {
    std::memcpy(&window, row + i * width / 8, sizeof(window));
    numbers[i] = static_cast<int64_t>(window >> (i * width % 8) & mask);
  }
  std::memcpy(&window, row + last, sizeof(window));
  for (; i < count; ++i) {
    numbers[i] = static_cast<int64_t>(window >> (i * width - 8 * last) & mask);
  }
}

bool Portably(const Rows& all) {
  bool clear = true;
  for (size_t r = 0; r < all.rows; ++r) {
    const std::byte* const row = all.bytes.data() + r * all.row_bytes;
    UnpackFrom(0, all, row, all.numbers + r * all.count);
    clear &= RestIsClear(all, row);
  }
  return clear;
}

#if defined(__x86_64__)

// Eight numbers begin with a whole byte and take `width` bytes, so that in each eight of a row
// the same bytes make the same number. The first four lie in the first 16 of those bytes, the
// others in the last 16: four are at most 124 bits.
struct HalfOfEight {
  alignas(32) uint8_t bytes_of[32];  // For each number eight of the 16 bytes, or 0x80: none.
  alignas(32) uint64_t shift_of[4];  // Bits below the number.
  size_t offset;                     // Of the 16 bytes.
};

constexpr HalfOfEight PlaceHalf(size_t first, size_t offset, size_t width) {
  HalfOfEight half{};
  half.offset = offset;
  for (size_t i = 0; i < 4; ++i) {
    const size_t bit = (first + i) * width - 8 * half.offset;
    half.shift_of[i] = bit % 8;
    for (size_t b = 0; b < 8; ++b) {
      const size_t byte = bit / 8 + b;
      half.bytes_of[8 * i + b] = static_cast<uint8_t>(byte < 16 ? byte : 0x80);
    }
  }
  return half;
}

// By width: of the first and the second four.
constexpr auto kHalves = [] {
  std::array<std::array<HalfOfEight, 2>, kMaxWidth + 1> halves{};
  for (size_t width = 1; width <= kMaxWidth; ++width) {
    halves[width] = {PlaceHalf(0, 0, width), PlaceHalf(4, width > 16 ? width - 16 : 0, width)};
  }
  return halves;
}();

[[gnu::target("avx2"), gnu::always_inline]] inline void UnpackFour(const std::byte* eight,
                                                                   const HalfOfEight& half,
                                                                   __m256i mask, int64_t* to) {
  const __m256i bytes = _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(eight + half.offset)));
  const __m256i spread = _mm256_shuffle_epi8(
      bytes, _mm256_load_si256(reinterpret_cast<const __m256i*>(half.bytes_of)));
  const __m256i shifted =
      _mm256_srlv_epi64(spread, _mm256_load_si256(reinterpret_cast<const __m256i*>(half.shift_of)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_and_si256(shifted, mask));
}

[[gnu::target("avx2")]] bool WithAvx2(const Rows& all) {
  const HalfOfEight& low = kHalves[all.width][0];
  const HalfOfEight& high = kHalves[all.width][1];
  const __m256i mask = _mm256_set1_epi64x((int64_t{1} << all.width) - 1);
  const std::byte* const end = all.bytes.data() + all.bytes.size();
  const auto reach = static_cast<ptrdiff_t>(high.offset + 16);
  bool clear = true;
  for (size_t r = 0; r < all.rows; ++r) {
    const std::byte* const row = all.bytes.data() + r * all.row_bytes;
    int64_t* const numbers = all.numbers + r * all.count;
    const std::byte* eight = row;
    size_t i = 0;
    for (; i + 8 <= all.count && end - eight >= reach; i += 8, eight += all.width) {
      UnpackFour(eight, low, mask, numbers + i);
      UnpackFour(eight, high, mask, numbers + i + 4);
    }
    UnpackFrom(i, all, row, numbers);
    clear &= RestIsClear(all, row);
  }
  return clear;
}

bool Fast(const Rows& all) {
  static const bool able = __builtin_cpu_supports("avx2");
  return able ? WithAvx2(all) : Portably(all);
}

#else

bool Fast(const Rows& all) { return Portably(all); }

#endif

}  // namespace

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
  return Fast(CheckedRows(bytes, bits, 1, numbers));
}

bool UnpackRows(std::span<const std::byte> bytes, int bits, size_t rows,
                std::span<int64_t> numbers) {
  return Fast(CheckedRows(bytes, bits, rows, numbers));
}

bool UnpackRowsPortably(std::span<const std::byte> bytes, int bits, size_t rows,
                        std::span<int64_t> numbers) {
  return Portably(CheckedRows(bytes, bits, rows, numbers));
}

}  // namespace distill
