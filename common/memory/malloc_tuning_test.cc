#include "common/memory/malloc_tuning.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>

namespace distill {
namespace {

long Faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Writes to a buffer of 1 MiB, 256 pages, `times` times over.
long FaultsOfBuffers(int times) {
  const long before = Faults();
  for (int i = 0; i < times; ++i) {
    std::unique_ptr<volatile char[]> buffer(new char[1 << 20]);
    for (int at = 0; at < 1 << 20; at += 4096) buffer[at] = 1;
  }
  return Faults() - before;
}

TEST(MallocTuning, ABufferThatIsFreedIsUsedAgainWithoutAskingTheKernel) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer brings its own malloc";
#endif
  KeepFreedMemory();
  FaultsOfBuffers(1);
  EXPECT_LT(FaultsOfBuffers(100), 2 * 256);
}

}  // namespace
}  // namespace distill
