#include "common/random/random.h"

#include <numeric>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

using Block = std::array<uint32_t, 4>;

uint32_t Low(uint64_t x) { return static_cast<uint32_t>(x); }
uint32_t High(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

// The 128 bits that belong to (seed, stream, index), as two words.
std::array<uint64_t, 2> Draw(uint64_t seed, uint64_t stream, uint64_t index) {
  const Block block =
      Philox4x32({Low(index), High(index), Low(stream), High(stream)}, {Low(seed), High(seed)});
  return {uint64_t{block[1]} << 32 | block[0], uint64_t{block[3]} << 32 | block[2]};
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {High(product1) ^ counter[1] ^ key[0], Low(product1),
               High(product0) ^ counter[3] ^ key[1], Low(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

uint64_t Mix(uint64_t seed, uint64_t stream, uint64_t index) {
  return Draw(seed, stream, index)[0];
}

uint64_t UniformBelow(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound) {
  ABSL_RAW_CHECK(bound > 0, "no integer is below 0");
  // 2^64 mod bound: a draw below it would favour the small results.
  const uint64_t rejected_below = (0 - bound) % bound;
  // Each attempt fails with a probability below 1/2, and has a key of its own since
  // the counter is used up by stream and index.
  for (uint64_t key = seed;; key += 0x9E3779B97F4A7C15) {
    for (const uint64_t word : Draw(key, stream, index)) {
      if (word >= rejected_below) return word % bound;
    }
  }
}

double UniformReal(uint64_t seed, uint64_t stream, uint64_t index) {
  return static_cast<double>(Mix(seed, stream, index) >> 11) * 0x1p-53;
}

std::vector<uint64_t> Permutation(uint64_t seed, uint64_t stream, uint64_t size) {
  std::vector<uint64_t> values(size);
  std::iota(values.begin(), values.end(), uint64_t{0});
  Shuffle<uint64_t>(seed, stream, values);
  return values;
}

}  // namespace distill
