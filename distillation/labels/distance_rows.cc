#include "distillation/labels/distance_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/base/internal/raw_logging.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "codes are little-endian");

constexpr float kLowest = std::numeric_limits<float>::lowest();

// Valid and Size without branches; Size of any code, whatever it is.
struct Half {
  using Code = uint16_t;
  static constexpr uint32_t kLargest = 0xfbff;
  bool Valid(uint32_t code) const { return (code == 0) | (code - 0x8000u <= kLargest - 0x8000u); }
  float Size(uint32_t code) const {
    const int32_t bits = static_cast<int32_t>((code & 0x7fffu) << 13);
    // A subnormal lacks the leading one that 113 gives it: taken off again, exactly. A mask
    // instead of a choice, which the compiler would make a branch.
    const int32_t lacking = -static_cast<int32_t>(bits < (1 << 23));
    const int32_t whole = bits + (112 << 23) + (lacking & (1 << 23));
    return std::bit_cast<float>(whole) -
           std::bit_cast<float>(lacking & std::bit_cast<int32_t>(0x1p-14f));
  }
};

struct BFloat16 {
  using Code = uint16_t;
  static constexpr uint32_t kLargest = 0xff7f;
  bool Valid(uint32_t code) const { return (code == 0) | (code - 0x8000u <= kLargest - 0x8000u); }
  float Size(uint32_t code) const { return std::bit_cast<float>((code & 0x7fffu) << 16); }
};

struct Steps {
  using Code = uint8_t;
  float step;
  bool Valid(uint32_t) const { return true; }
  float Size(uint32_t code) const { return static_cast<float>(static_cast<int32_t>(code)) * step; }
};

struct Row {
  const std::byte* codes;
  float maximum;
  float* values;
  size_t size;
};

template <typename Coding>
[[gnu::always_inline]] inline bool Decode(const Coding& coding, const Row& row, size_t begin) {
  uint32_t wrong = 0;
  for (size_t c = begin; c < row.size; ++c) {
    typename Coding::Code code;
    std::memcpy(&code, row.codes + c * sizeof(code), sizeof(code));
    wrong |= !coding.Valid(code);
    // A distance that was rounded up must not lead beyond the finite floats.
    row.values[c] = std::max(row.maximum - coding.Size(code), kLowest);
  }
  return wrong == 0;
}

bool Portably(DistanceCode kind, const Row& row, float step) {
  switch (kind) {
    case DistanceCode::kHalf:
      return Decode(Half(), row, 0);
    case DistanceCode::kBFloat16:
      return Decode(BFloat16(), row, 0);
    case DistanceCode::kSteps:
      return Decode(Steps{step}, row, 0);
  }
  return false;
}

#if defined(__x86_64__)

// Without FMA, which would round once where the portable way rounds twice.
[[gnu::target("avx2")]] bool DecodeSteps(const Row& row, float step) {
  return Decode(Steps{step}, row, 0);
}

// Eight sizes, without their signs.
template <typename Coding>
[[gnu::target("avx2,f16c"), gnu::always_inline]] inline __m256 Widened(__m128i sizes) {
  if constexpr (std::is_same_v<Coding, Half>) {
    return _mm256_cvtph_ps(sizes);
  } else {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(sizes), 16));
  }
}

template <typename Coding>
[[gnu::target("avx2,f16c")]] bool DecodeSigned(const Row& row) {
  const __m256 maximum = _mm256_set1_ps(row.maximum);
  const __m256 lowest = _mm256_set1_ps(kLowest);
  const __m256i no_sign = _mm256_set1_epi16(0x7fff);
  // As signed numbers the codes of distances are 0 and all up to that of the largest.
  const __m256i largest = _mm256_set1_epi16(static_cast<int16_t>(Coding::kLargest));
  __m256i wrong = _mm256_setzero_si256();
  size_t c = 0;
  for (; c + 16 <= row.size; c += 16) {
    const __m256i codes =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.codes + c * sizeof(uint16_t)));
    const __m256i zero = _mm256_cmpeq_epi16(codes, _mm256_setzero_si256());
    wrong = _mm256_or_si256(wrong, _mm256_andnot_si256(zero, _mm256_cmpgt_epi16(codes, largest)));
    const __m256i sizes = _mm256_and_si256(codes, no_sign);
    const __m256 low = Widened<Coding>(_mm256_castsi256_si128(sizes));
    const __m256 high = Widened<Coding>(_mm256_extracti128_si256(sizes, 1));
    _mm256_storeu_ps(row.values + c, _mm256_max_ps(_mm256_sub_ps(maximum, low), lowest));
    _mm256_storeu_ps(row.values + c + 8, _mm256_max_ps(_mm256_sub_ps(maximum, high), lowest));
  }
  const bool rest = Decode(Coding(), row, c);
  return rest && _mm256_testz_si256(wrong, wrong) != 0;
}

bool Fast(DistanceCode kind, const Row& row, float step) {
  static const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
  if (!able) return Portably(kind, row, step);
  switch (kind) {
    case DistanceCode::kHalf:
      return DecodeSigned<Half>(row);
    case DistanceCode::kBFloat16:
      return DecodeSigned<BFloat16>(row);
    case DistanceCode::kSteps:
      return DecodeSteps(row, step);
  }
  return false;
}

#else

bool Fast(DistanceCode kind, const Row& row, float step) { return Portably(kind, row, step); }

#endif

Row CheckedRow(DistanceCode kind, std::span<const std::byte> codes, float maximum,
               std::span<float> values) {
  ABSL_RAW_CHECK(codes.size() == values.size() * CodeBytes(kind), "room for distances");
  return {codes.data(), maximum, values.data(), values.size()};
}

}  // namespace

bool IsDistanceCode(DistanceCode kind, uint32_t code) {
  switch (kind) {
    case DistanceCode::kHalf:
      return Half().Valid(code);
    case DistanceCode::kBFloat16:
      return BFloat16().Valid(code);
    case DistanceCode::kSteps:
      return true;
  }
  return false;
}

bool DecodeDistances(DistanceCode kind, std::span<const std::byte> codes, float maximum, float step,
                     std::span<float> values) {
  return Fast(kind, CheckedRow(kind, codes, maximum, values), step);
}

bool DecodeDistancesPortably(DistanceCode kind, std::span<const std::byte> codes, float maximum,
                             float step, std::span<float> values) {
  return Portably(kind, CheckedRow(kind, codes, maximum, values), step);
}

}  // namespace distill
