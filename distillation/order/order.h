// Which examples a step trains on: a function of (seed, step), not a race. The
// whole position of a run is therefore one number, whatever the number of ranks.
#ifndef DISTILLATION_ORDER_ORDER_H_
#define DISTILLATION_ORDER_ORDER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace distill {

// One example as one step sees it. A view seed of 0 is the un-augmented view.
struct ExampleView {
  uint64_t example_id = 0;
  uint64_t view_seed = 0;

  friend bool operator==(const ExampleView&, const ExampleView&) = default;
};

struct OrderOptions {
  uint64_t seed = 0;
  // Training examples, with ids 0 to examples - 1.
  uint64_t examples = 0;
  // The only ones to draw from, where not all are.
  std::optional<std::vector<uint64_t>> chosen;
  // Of all ranks together.
  uint64_t global_batch_size = 0;
  v1::ViewSpec view;
};

// Whether a view differs from the example as it lies in the data set.
bool Augments(const v1::ViewSpec& view);

// The seed of an example in one of the views that augmentation gives it: view number v is
// seen in the epochs e with e % views_per_example == v, or in epoch v where every epoch
// has its own. Never 0, which is the un-augmented view.
uint64_t ViewSeedOf(uint64_t run_seed, uint64_t view, uint64_t example_id);

// Every epoch is a permutation of all examples, drawn from (seed, epoch), of which
// the first steps_per_epoch() * global_batch_size are used; the few that are left
// over differ from epoch to epoch. Thread-compatible: it keeps the permutation of
// the epoch asked last (8 bytes an example), results do not depend on that.
class Order {
 public:
  // INVALID_ARGUMENT when an epoch has no full batch or the batch is empty.
  static absl::StatusOr<Order> Create(const OrderOptions& options);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t epoch(int64_t step) const { return step / steps_per_epoch_; }

  // The share of `rank` in `step`: the rank-th of world_size equal parts of the
  // global batch. Together the ranks see the same batch for any world size.
  // INVALID_ARGUMENT for a negative step, a rank outside the world, or a world
  // that does not divide the batch.
  absl::StatusOr<std::vector<ExampleView>> Slice(int64_t step, uint32_t rank, uint32_t world_size);

 private:
  explicit Order(const OrderOptions& options);
  uint64_t ViewSeed(int64_t epoch, uint64_t example_id) const;

  OrderOptions options_;
  uint64_t drawn_from_;
  int64_t steps_per_epoch_;
  bool augments_;
  int64_t cached_epoch_ = -1;
  std::vector<uint64_t> permutation_;
};

}  // namespace distill

#endif  // DISTILLATION_ORDER_ORDER_H_
