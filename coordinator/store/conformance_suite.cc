#include "coordinator/store/conformance_suite.h"

#include <string>
#include <vector>

namespace distill {
namespace {

std::vector<std::string> Payloads(Store& store, uint64_t first) {
  const auto records = store.ReadFrom(first);
  EXPECT_TRUE(records.ok()) << records.status();
  std::vector<std::string> out;
  if (!records.ok()) return out;
  for (size_t i = 0; i < records->size(); ++i) {
    EXPECT_EQ((*records)[i].sequence, records->front().sequence + i);
    out.push_back((*records)[i].payload);
  }
  return out;
}

using Strings = std::vector<std::string>;

TEST_P(StoreConformanceTest, AMissingStoreIsCreatedEmpty) {
  auto medium = GetParam()();
  auto store = medium->Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*(*store)->LastSequence(), 0u);
  EXPECT_EQ(Payloads(**store, 1), Strings{});
  EXPECT_FALSE((*store)->GetSnapshot()->has_value());
}

TEST_P(StoreConformanceTest, RecordsComeBackAsWrittenAfterReopening) {
  auto medium = GetParam()();
  const Strings written = {std::string("a\0b\xff", 4), "", std::string(100'000, 'x')};
  {
    auto store = *medium->Open();
    ASSERT_TRUE(store->Append(1, written).ok());
  }
  auto store = *medium->Open();
  EXPECT_EQ(Payloads(*store, 1), written);
  EXPECT_EQ(Payloads(*store, 3), Strings{written[2]});
  EXPECT_EQ(*store->LastSequence(), 3u);
}

TEST_P(StoreConformanceTest, AReopenedStoreGoesOnWhereItEnded) {
  auto medium = GetParam()();
  {
    auto store = *medium->Open();
    ASSERT_TRUE(store->Append(1, {"a"}).ok());
  }
  auto store = *medium->Open();
  ASSERT_TRUE(store->Append(2, {"b", "c"}).ok());
  EXPECT_EQ(Payloads(*store, 1), (Strings{"a", "b", "c"}));
}

TEST_P(StoreConformanceTest, AnAppendAtAnyOtherNumberIsRefusedAndStoresNothing) {
  auto medium = GetParam()();
  auto store = *medium->Open();
  ASSERT_TRUE(store->Append(1, {"a", "b"}).ok());
  for (uint64_t wrong : {0, 1, 2, 4}) {
    EXPECT_EQ(store->Append(wrong, {"c"}).code(), absl::StatusCode::kFailedPrecondition) << wrong;
  }
  EXPECT_EQ(Payloads(*store, 1), (Strings{"a", "b"}));
}

TEST_P(StoreConformanceTest, ASnapshotReplacesTheOneBeforeAndSurvivesReopening) {
  auto medium = GetParam()();
  {
    auto store = *medium->Open();
    ASSERT_TRUE(store->Append(1, {"a", "b", "c"}).ok());
    ASSERT_TRUE(store->PutSnapshot({1, "first"}).ok());
    ASSERT_TRUE(store->PutSnapshot({2, "second"}).ok());
    EXPECT_EQ(store->PutSnapshot({1, "older"}).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(store->PutSnapshot({4, "ahead"}).code(), absl::StatusCode::kFailedPrecondition);
  }
  auto store = *medium->Open();
  const auto snapshot = *store->GetSnapshot();
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->last_sequence, 2u);
  EXPECT_EQ(snapshot->payload, "second");
}

TEST_P(StoreConformanceTest, TruncationForgetsOnlyWhatTheSnapshotHoldsAndKeepsCounting) {
  auto medium = GetParam()();
  {
    auto store = *medium->Open();
    ASSERT_TRUE(store->Append(1, {"a", "b", "c"}).ok());
    EXPECT_EQ(store->TruncateBefore(2).code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE(store->PutSnapshot({2, "ab"}).ok());
    EXPECT_EQ(store->TruncateBefore(4).code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE(store->TruncateBefore(3).ok());
    EXPECT_EQ(Payloads(*store, 1), Strings{"c"});
    ASSERT_TRUE(store->PutSnapshot({3, "abc"}).ok());
    ASSERT_TRUE(store->TruncateBefore(4).ok());
  }
  auto store = *medium->Open();
  EXPECT_EQ(*store->LastSequence(), 3u);
  ASSERT_TRUE(store->Append(4, {"d"}).ok());
  EXPECT_EQ(Payloads(*store, 1), Strings{"d"});
}

TEST_P(StoreConformanceTest, OfTwoWritersOnlyOneWrites) {
  auto medium = GetParam()();
  auto first = *medium->Open();
  ASSERT_TRUE(first->Append(1, {"a"}).ok());
  auto second = medium->Open();
  if (!second.ok()) {
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(first->Append(2, {"b"}).ok());
    return;
  }
  EXPECT_EQ(first->Append(2, {"lost"}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(first->PutSnapshot({1, "lost"}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(first->TruncateBefore(1).code(), absl::StatusCode::kAborted);
  ASSERT_TRUE((*second)->Append(2, {"b"}).ok());
  EXPECT_EQ(Payloads(**second, 1), (Strings{"a", "b"}));
}

}  // namespace

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformanceTest);

}  // namespace distill
