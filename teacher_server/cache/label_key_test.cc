#include "teacher_server/cache/label_key.h"

#include <gtest/gtest.h>

#include <set>

namespace distill {
namespace {

TEST(LabelKeyTest, EveryPartOfTheScopeCountsAndPartsDoNotRunTogether) {
  const std::set<LabelScope> scopes = {
      ScopeOf("f", "cpu", "logits", "data", v1::TRAIN, "view"),
      ScopeOf("g", "cpu", "logits", "data", v1::TRAIN, "view"),
      ScopeOf("f", "cpu", "feature", "data", v1::TRAIN, "view"),
      ScopeOf("f", "cpu", "logits", "other", v1::TRAIN, "view"),
      ScopeOf("f", "cpu", "logits", "data", v1::TEST, "view"),
      ScopeOf("f", "cpu", "logits", "data", v1::TRAIN, "other"),
      ScopeOf("f", "gpu", "logits", "data", v1::TRAIN, "view"),
      ScopeOf("fc", "pu", "logits", "data", v1::TRAIN, "view"),
  };
  EXPECT_EQ(scopes.size(), 8u);
  EXPECT_TRUE(scopes.contains(ScopeOf("f", "cpu", "logits", "data", v1::TRAIN, "view")));
}

}  // namespace
}  // namespace distill
