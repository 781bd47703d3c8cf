#include "common/random/test_seed.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/numbers.h"

namespace distill {

uint64_t TestSeed() {
  uint64_t seed = 0;
  if (const char* text = std::getenv("DISTILL_TEST_SEED"); text != nullptr) {
    ABSL_RAW_CHECK(absl::SimpleAtoi(text, &seed), "DISTILL_TEST_SEED is not a 64-bit number");
  } else {
    std::random_device device;
    seed = uint64_t{device()} << 32 | device();
  }
  std::fprintf(stderr, "test seed %llu; repeat with --test_env=DISTILL_TEST_SEED=%llu\n",
               static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace distill
