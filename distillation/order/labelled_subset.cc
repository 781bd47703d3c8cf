#include "distillation/order/labelled_subset.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/random/random.h"

namespace distill {
namespace {

// The stream of a class's draw, apart from those of order.cc.
constexpr uint64_t kSubsetStream = uint64_t{1} << 61;

}  // namespace

absl::StatusOr<std::vector<uint64_t>> DrawLabelledSubset(std::span<const int32_t> labels,
                                                         uint32_t classes, uint64_t count,
                                                         uint64_t seed) {
  if (classes == 0) return absl::InvalidArgumentError("there are no classes to draw from");
  std::vector<std::vector<uint64_t>> by_class(classes);
  for (uint64_t id = 0; id < labels.size(); ++id) {
    const int32_t label = labels[id];
    if (label == -1) continue;
    if (label < 0 || static_cast<uint32_t>(label) >= classes) {
      return absl::InvalidArgumentError(absl::StrCat("example ", id, " has the label ", label,
                                                     ", outside ", classes, " classes"));
    }
    by_class[label].push_back(id);
  }
  std::vector<uint64_t> subset;
  for (uint32_t c = 0; c < classes; ++c) {
    const uint64_t share = count / classes + (c < count % classes ? 1 : 0);
    std::vector<uint64_t>& ids = by_class[c];
    if (ids.size() < share) {
      return absl::InvalidArgumentError(absl::StrCat(
          "class ", c, " has ", ids.size(), " labelled training examples and its share of ", count,
          " is ", share, "; make labelled_subset.examples smaller"));
    }
    Shuffle(seed, kSubsetStream + c, std::span<uint64_t>(ids));
    subset.insert(subset.end(), ids.begin(), ids.begin() + static_cast<int64_t>(share));
  }
  std::sort(subset.begin(), subset.end());
  return subset;
}

}  // namespace distill
