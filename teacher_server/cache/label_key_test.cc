#include "teacher_server/cache/label_key.h"

#include <gtest/gtest.h>

#include <set>

namespace distill {
namespace {

TEST(LabelKeyTest, EveryPartOfTheScopeCountsAndPartsDoNotRunTogether) {
  const std::set<LabelScope> scopes = {
      ScopeOf("f", "logits", "data", v1::TRAIN, "view"),
      ScopeOf("g", "logits", "data", v1::TRAIN, "view"),
      ScopeOf("f", "feature", "data", v1::TRAIN, "view"),
      ScopeOf("f", "logits", "other", v1::TRAIN, "view"),
      ScopeOf("f", "logits", "data", v1::TEST, "view"),
      ScopeOf("f", "logits", "data", v1::TRAIN, "other"),
      ScopeOf("fl", "ogits", "data", v1::TRAIN, "view"),
  };
  EXPECT_EQ(scopes.size(), 7u);
  EXPECT_TRUE(scopes.contains(ScopeOf("f", "logits", "data", v1::TRAIN, "view")));
}

}  // namespace
}  // namespace distill
