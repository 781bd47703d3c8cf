#include "common/bytes/aligned_bytes.h"

#include "absl/base/internal/raw_logging.h"

namespace distill {

AlignedBytes::AlignedBytes(size_t size) : size_(size) {
  if (size == 0) return;
  const size_t rounded = (size + kPayloadAlignment - 1) / kPayloadAlignment * kPayloadAlignment;
  data_.reset(static_cast<char*>(std::aligned_alloc(kPayloadAlignment, rounded)));
  ABSL_RAW_CHECK(data_ != nullptr, "out of memory");
}

}  // namespace distill
