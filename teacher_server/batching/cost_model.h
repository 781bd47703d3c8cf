// How long a batch will compute, learned from those that have.
#ifndef TEACHER_SERVER_BATCHING_COST_MODEL_H_
#define TEACHER_SERVER_BATCHING_COST_MODEL_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"

namespace distill {

// Moving averages per shape bucket (shape_bucket.h) and size class, a power of two;
// each class keeps the mean size beside the mean time, and sizes between two classes
// lie on the line between their means. So a cost of a + b * examples is met exactly
// from two sizes on. The first batch of a class counts only until the second: it warms
// up what later ones find ready. Thread-compatible.
//
// Where nothing was measured, two things are taken to hold: more examples do not take
// less time, nor more time each. Predict then gives the longest time that this leaves
// possible, AtLeast the shortest. Both are zero before the first observation.
class CostModel {
 public:
  void Observe(int bucket, int64_t examples, absl::Duration compute);

  absl::Duration Predict(int bucket, int64_t examples) const;
  absl::Duration AtLeast(int bucket, int64_t examples) const;

  // Moving mean of how far off Predict was for sizes like those seen, over what it said.
  double scatter() const { return scatter_; }

  // The shortest time per example and element of length, over the buckets observed, in
  // batches of `examples`.
  absl::Duration BestPerUnit(int64_t examples) const;

 private:
  struct Point {
    double examples = 0;
    double seconds = 0;
    bool first = true;
  };
  // One per size class, by size.
  using Curve = std::map<int, Point>;
  enum class Bound { kLongest, kShortest };

  static double Read(const Curve& curve, double examples, Bound bound);
  absl::Duration Estimate(int bucket, int64_t examples, Bound bound) const;

  std::map<int, Curve> curves_;
  double scatter_ = 0;
};

}  // namespace distill

#endif  // TEACHER_SERVER_BATCHING_COST_MODEL_H_
