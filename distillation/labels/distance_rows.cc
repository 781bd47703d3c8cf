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
  static constexpr uint32_t kLargest = 0xff;
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

// Whether a distance that was rounded up may lead beyond the finite floats: almost never, and
// then no value needs a look.
template <typename Coding>
bool MayPassLowest(const Coding& coding, const Row& row) {
  return !(row.maximum - coding.Size(Coding::kLargest) >= kLowest);
}

template <bool kClamp, typename Coding>
[[gnu::always_inline]] inline bool DecodeFrom(const Coding& coding, const Row& row) {
  uint32_t wrong = 0;
  for (size_t c = 0; c < row.size; ++c) {
    typename Coding::Code code;
    std::memcpy(&code, row.codes + c * sizeof(code), sizeof(code));
    wrong |= !coding.Valid(code);
    const float value = row.maximum - coding.Size(code);
    row.values[c] = kClamp ? std::max(value, kLowest) : value;
  }
  return wrong == 0;
}

template <typename Coding>
[[gnu::always_inline]] inline bool Decode(const Coding& coding, const Row& row) {
  if (MayPassLowest(coding, row)) return DecodeFrom<true>(coding, row);
  return DecodeFrom<false>(coding, row);
}

bool Portably(DistanceCode kind, const Row& row, float step) {
  switch (kind) {
    case DistanceCode::kHalf:
      return Decode(Half(), row);
    case DistanceCode::kBFloat16:
      return Decode(BFloat16(), row);
    case DistanceCode::kSteps:
      return Decode(Steps{step}, row);
  }
  return false;
}

#if defined(__x86_64__)

// Eight sizes, without their signs.
template <typename Coding>
[[gnu::target("avx2,f16c"), gnu::always_inline]] inline __m256 Widened(__m128i sizes) {
  if constexpr (std::is_same_v<Coding, Half>) {
    return _mm256_cvtph_ps(sizes);
  } else {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(sizes), 16));
  }
}

template <bool kClamp>
[[gnu::target("avx2"), gnu::always_inline]] inline void StoreBelow(__m256 maximum, __m256 sizes,
                                                                   float* values) {
  const __m256 below = _mm256_sub_ps(maximum, sizes);
  _mm256_storeu_ps(values, kClamp ? _mm256_max_ps(below, _mm256_set1_ps(kLowest)) : below);
}

// Without FMA, which would round once where the portable way rounds twice.
template <bool kClamp>
[[gnu::target("avx2"), gnu::always_inline]] inline void DecodeEightSteps(const Row& row, size_t c,
                                                                         float step) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row.codes + c));
  const __m256 steps = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
  StoreBelow<kClamp>(_mm256_set1_ps(row.maximum), _mm256_mul_ps(steps, _mm256_set1_ps(step)),
                     row.values + c);
}

template <bool kClamp>
[[gnu::target("avx2")]] bool DecodeStepsFrom(const Row& row, float step) {
  if (row.size < 8) return DecodeFrom<kClamp>(Steps{step}, row);
  for (size_t c = 0; c + 8 <= row.size; c += 8) DecodeEightSteps<kClamp>(row, c, step);
  // What is left over, and some of it again.
  if (row.size % 8 != 0) DecodeEightSteps<kClamp>(row, row.size - 8, step);
  return true;
}

bool DecodeSteps(const Row& row, float step) {
  if (MayPassLowest(Steps{step}, row)) return DecodeStepsFrom<true>(row, step);
  return DecodeStepsFrom<false>(row, step);
}

// The codes of distances are 0, and from 0x8000 to the largest: none is above 0 as a signed
// number or above the largest as an unsigned one.
struct MostOf {
  __m256i as_signed, as_unsigned;
};

template <bool kClamp, typename Coding>
[[gnu::target("avx2,f16c"), gnu::always_inline]] inline void DecodeSixteen(const Row& row, size_t c,
                                                                           MostOf& most) {
  const __m256 maximum = _mm256_set1_ps(row.maximum);
  const __m256i codes =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row.codes + c * sizeof(uint16_t)));
  most.as_signed = _mm256_max_epi16(most.as_signed, codes);
  most.as_unsigned = _mm256_max_epu16(most.as_unsigned, codes);
  const __m256i sizes = _mm256_and_si256(codes, _mm256_set1_epi16(0x7fff));
  const __m256 low = Widened<Coding>(_mm256_castsi256_si128(sizes));
  const __m256 high = Widened<Coding>(_mm256_extracti128_si256(sizes, 1));
  StoreBelow<kClamp>(maximum, low, row.values + c);
  StoreBelow<kClamp>(maximum, high, row.values + c + 8);
}

template <bool kClamp, typename Coding>
[[gnu::target("avx2,f16c")]] bool DecodeSignedFrom(const Row& row) {
  if (row.size < 16) return DecodeFrom<kClamp>(Coding(), row);
  MostOf most = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (size_t c = 0; c + 16 <= row.size; c += 16) DecodeSixteen<kClamp, Coding>(row, c, most);
  // What is left over, and some of it again.
  if (row.size % 16 != 0) DecodeSixteen<kClamp, Coding>(row, row.size - 16, most);
  const __m256i beyond = _mm256_subs_epu16(
      most.as_unsigned, _mm256_set1_epi16(static_cast<int16_t>(Coding::kLargest)));
  const __m256i wrong = _mm256_or_si256(most.as_signed, beyond);
  return _mm256_testz_si256(wrong, wrong) != 0;
}

template <typename Coding>
bool DecodeSigned(const Row& row) {
  if (MayPassLowest(Coding(), row)) return DecodeSignedFrom<true, Coding>(row);
  return DecodeSignedFrom<false, Coding>(row);
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
