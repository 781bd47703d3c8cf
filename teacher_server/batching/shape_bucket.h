// Which lengths may share a batch.
#ifndef TEACHER_SERVER_BATCHING_SHAPE_BUCKET_H_
#define TEACHER_SERVER_BATCHING_SHAPE_BUCKET_H_

#include <cstdint>

namespace distill {

// Lengths (elements of an example along its variable axis) of one bucket differ by a
// factor of less than 1.25, so that padding to the longest wastes less than a fifth of
// what is computed. Bucket 0 is the fixed shape, length 0. Pure; for lengths from 0 to
// kMaxLength.
constexpr int64_t kMaxLength = int64_t{1} << 24;

int ShapeBucket(int64_t length);
// The longest length of a bucket that ShapeBucket gives; 1 for the fixed shape, so that
// examples times this is the work of a batch, up to a factor.
int64_t BucketLength(int bucket);

}  // namespace distill

#endif  // TEACHER_SERVER_BATCHING_SHAPE_BUCKET_H_
