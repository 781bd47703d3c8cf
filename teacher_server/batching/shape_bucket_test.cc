#include "teacher_server/batching/shape_bucket.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(ShapeBucket, TheFixedShapeHasABucketOfItsOwn) {
  EXPECT_EQ(ShapeBucket(0), 0);
  EXPECT_EQ(ShapeBucket(1), 1);
  EXPECT_EQ(BucketLength(0), 1);
}

TEST(ShapeBucket, PaddingWithinABucketWastesLessThanAFifth) {
  for (int64_t length = 1; length <= 100'000; ++length) {
    const int64_t longest = BucketLength(ShapeBucket(length));
    ASSERT_GE(longest, length);
    ASSERT_LT(5 * (longest - length), longest) << length << " padded to " << longest;
    ASSERT_EQ(ShapeBucket(longest), ShapeBucket(length));
  }
}

TEST(ShapeBucket, BucketsAreFew) { EXPECT_LT(ShapeBucket(kMaxLength), 80); }

}  // namespace
}  // namespace distill
