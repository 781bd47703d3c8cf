// Randomness as a function: the same (seed, stream, index) gives the same value on
// every machine, in any order, without state. A restart, another number of workers or
// another thread order therefore changes no draw.
#ifndef COMMON_RANDOM_RANDOM_H_
#define COMMON_RANDOM_RANDOM_H_

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace distill {

// Philox4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011): for one key, a bijection of the 128-bit counter.
// Words are in increasing significance. Not for secrets.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// 64 random bits. `seed` says which run, `stream` which purpose within it (an epoch, a
// rank, an augmentation; the caller numbers them), `index` which draw.
uint64_t Mix(uint64_t seed, uint64_t stream, uint64_t index);

// An integer of [0, bound), each exactly as likely as the others (by rejection).
// Crashes when bound is 0.
uint64_t UniformBelow(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);

// A multiple of 2^-53 in [0, 1).
double UniformReal(uint64_t seed, uint64_t stream, uint64_t index);

// Puts the values in an order drawn from all orders (Fisher-Yates, from the back).
// Uses the indices 1 to size - 1 of the stream.
template <typename T>
void Shuffle(uint64_t seed, uint64_t stream, std::span<T> values) {
  for (uint64_t i = values.size(); i > 1; --i) {
    using std::swap;
    swap(values[i - 1], values[UniformBelow(seed, stream, i - 1, i)]);
  }
}

// 0 to size - 1, shuffled.
std::vector<uint64_t> Permutation(uint64_t seed, uint64_t stream, uint64_t size);

}  // namespace distill

#endif  // COMMON_RANDOM_RANDOM_H_
