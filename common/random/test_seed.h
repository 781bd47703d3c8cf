// The seed of a randomised test: fresh on each run, printed, and repeatable.
#ifndef COMMON_RANDOM_TEST_SEED_H_
#define COMMON_RANDOM_TEST_SEED_H_

#include <cstdint>

namespace distill {

// The value of DISTILL_TEST_SEED if it is set, otherwise a fresh one; printed to
// stderr each time with the flag that repeats the test. Crashes when
// DISTILL_TEST_SEED is not a number of 64 bits.
uint64_t TestSeed();

}  // namespace distill

#endif  // COMMON_RANDOM_TEST_SEED_H_
