#include "distillation/order/order.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/random/random.h"

namespace distill {
namespace {

// Streams of the run's seed: one per epoch for its order, and above them one per
// epoch (or view number) for the views.
constexpr uint64_t kOrderStream = uint64_t{1} << 62;
constexpr uint64_t kViewStream = uint64_t{1} << 63;

}  // namespace

bool Augments(const v1::ViewSpec& view) {
  return view.horizontal_flip() || view.max_shift_pixels() > 0;
}

uint64_t ViewSeedOf(uint64_t run_seed, uint64_t view, uint64_t example_id) {
  // 0 is taken by the un-augmented view.
  return std::max<uint64_t>(1, Mix(run_seed, kViewStream + view, example_id));
}

Order::Order(const OrderOptions& options)
    : options_(options),
      drawn_from_(options.chosen.has_value() ? options.chosen->size() : options.examples),
      steps_per_epoch_(static_cast<int64_t>(drawn_from_ / options.global_batch_size)),
      augments_(Augments(options.view)) {}

absl::StatusOr<Order> Order::Create(const OrderOptions& options) {
  if (options.global_batch_size == 0) {
    return absl::InvalidArgumentError("the global batch is empty; set global_batch_size");
  }
  const uint64_t from = options.chosen.has_value() ? options.chosen->size() : options.examples;
  if (from < options.global_batch_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a global batch of ", options.global_batch_size, " is more than the ", from,
                     " examples to train on; make global_batch_size smaller"));
  }
  for (const uint64_t id : options.chosen.value_or(std::vector<uint64_t>())) {
    if (id < options.examples) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("example ", id, " was chosen of ", options.examples));
  }
  return Order(options);
}

absl::StatusOr<std::vector<ExampleView>> Order::Slice(int64_t step, uint32_t rank,
                                                      uint32_t world_size) {
  const uint64_t batch = options_.global_batch_size;
  if (step < 0 || rank >= world_size || batch % world_size != 0) {
    return absl::InvalidArgumentError(absl::StrCat("no slice for step ", step, ", rank ", rank,
                                                   " of ", world_size, " in a global batch of ",
                                                   batch));
  }
  if (epoch(step) != cached_epoch_) {
    cached_epoch_ = epoch(step);
    permutation_ = Permutation(options_.seed, kOrderStream + static_cast<uint64_t>(cached_epoch_),
                               drawn_from_);
  }
  const uint64_t share = batch / world_size;
  const uint64_t begin = static_cast<uint64_t>(step % steps_per_epoch_) * batch + rank * share;
  std::vector<ExampleView> slice;
  slice.reserve(share);
  for (uint64_t i = begin; i < begin + share; ++i) {
    const uint64_t id =
        options_.chosen.has_value() ? (*options_.chosen)[permutation_[i]] : permutation_[i];
    slice.push_back({id, ViewSeed(cached_epoch_, id)});
  }
  return slice;
}

uint64_t Order::ViewSeed(int64_t epoch, uint64_t example_id) const {
  if (!augments_) return 0;
  const uint64_t views = options_.view.views_per_example();
  const uint64_t number = static_cast<uint64_t>(epoch) % (views == 0 ? UINT64_MAX : views);
  return ViewSeedOf(options_.seed, number, example_id);
}

}  // namespace distill
