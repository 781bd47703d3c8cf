#include "student_worker/worker/label_heads.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"

namespace distill {
namespace {

// 20 bytes for each class.
LabelHead Head(int64_t classes) {
  const auto count = static_cast<size_t>(classes);
  return {MakeTensorView(ElementType::kFloat32, {classes, 4}, std::vector<float>(4 * count)),
          MakeTensorView(ElementType::kFloat32, {classes}, std::vector<float>(count))};
}

TEST(LabelHeads, AHeadIsFoundByItsFingerprintAndTheFirstOneStays) {
  LabelHeads heads;
  EXPECT_EQ(heads.Find("a"), nullptr);
  const auto kept = heads.Keep("a", Head(2));
  EXPECT_EQ(heads.Find("a"), kept);
  EXPECT_EQ(heads.Keep("a", Head(2)), kept);
  EXPECT_EQ(heads.Find("b"), nullptr);
}

TEST(LabelHeads, TheOldestGoesWhereTheBytesAreUsedUpAndWhoUsesItKeepsIt) {
  LabelHeads heads(/*max_bytes=*/100);
  const auto a = heads.Keep("a", Head(2));
  heads.Keep("b", Head(2));
  heads.Keep("c", Head(1));
  EXPECT_NE(heads.Find("a"), nullptr) << "all fit";
  heads.Keep("d", Head(1));
  EXPECT_EQ(heads.Find("a"), nullptr);
  EXPECT_NE(heads.Find("b"), nullptr);
  EXPECT_EQ(a->classes(), 2);
  // The newest is kept, however large.
  EXPECT_NE(heads.Keep("e", Head(50)), nullptr);
  EXPECT_NE(heads.Find("e"), nullptr);
  EXPECT_EQ(heads.Find("d"), nullptr);
}

}  // namespace
}  // namespace distill
