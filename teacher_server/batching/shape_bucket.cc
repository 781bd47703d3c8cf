#include "teacher_server/batching/shape_bucket.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

// Each bucket's longest length. The next is at most 1.25 times the last, and one more
// at least.
const std::vector<int64_t>& Edges() {
  static const std::vector<int64_t>* const edges = [] {
    auto* edges = new std::vector<int64_t>{0};
    while (edges->back() < kMaxLength) {
      const int64_t last = edges->back();
      edges->push_back(std::max(last + 1, last + last / 4));
    }
    return edges;
  }();
  return *edges;
}

}  // namespace

int ShapeBucket(int64_t length) {
  ABSL_RAW_CHECK(length >= 0 && length <= kMaxLength, "a length out of range");
  const std::vector<int64_t>& edges = Edges();
  return static_cast<int>(std::lower_bound(edges.begin(), edges.end(), length) - edges.begin());
}

int64_t BucketLength(int bucket) {
  return std::max<int64_t>(1, Edges().at(static_cast<size_t>(bucket)));
}

}  // namespace distill
