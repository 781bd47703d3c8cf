#include "common/memory/malloc_tuning.h"

#include <malloc.h>

#include "absl/base/internal/raw_logging.h"

namespace distill {

void KeepFreedMemory() {
  const bool set = mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 &&
                   mallopt(M_TRIM_THRESHOLD, 256 << 20) == 1 && mallopt(M_TOP_PAD, 8 << 20) == 1;
  ABSL_RAW_CHECK(set, "malloc refused its thresholds");
}

}  // namespace distill
