#include "coordinator/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/journal/faulty_store.h"
#include "coordinator/store/memory_store.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using Fault = FaultyStore::Fault;

v1::Update Fence(uint64_t fence) {
  v1::Update update;
  update.mutable_fence_taken()->set_fence(fence);
  return update;
}

v1::Update Plan() {
  v1::Update update;
  auto* plan = update.mutable_plan_submitted();
  plan->set_plan_id("p");
  plan->set_idempotency_key("k");
  plan->mutable_plan()->add_data_sets()->set_name("d");
  auto* run = plan->mutable_plan()->add_runs();
  run->set_name("r");
  run->set_data_set("d");
  run->mutable_training()->set_steps(1000);
  run->mutable_training()->set_world_size(1);
  return update;
}

v1::Update World(uint64_t generation = 1) {
  v1::Update update;
  update.mutable_world_formed()->set_run_id("r");
  update.mutable_world_formed()->set_generation(generation);
  update.mutable_world_formed()->add_members()->set_worker("a");
  return update;
}

v1::Update Grant(int64_t through) {
  v1::Update update;
  update.mutable_grant_extended()->set_run_id("r");
  update.mutable_grant_extended()->set_generation(1);
  update.mutable_grant_extended()->set_through_step(through);
  return update;
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { Reopen(); }
  void Reopen(const JournalOptions& options = {}) {
    journal_.reset();
    faulty_.reset();
    memory_ = std::make_unique<MemoryStore>(disk_);
    faulty_ = std::make_unique<FaultyStore>(memory_.get());
    auto journal = Journal::Open(faulty_.get(), options);
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
  }
  std::string Status() { return journal_->state().Status().DebugString(); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<MemoryStore> memory_;
  std::unique_ptr<FaultyStore> faulty_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalTest, ReplayGivesTheStateThatWasWritten) {
  ASSERT_TRUE(journal_->Write({Fence(1), Plan(), World(), Grant(64)}).ok());
  const std::string before = Status();
  Reopen();
  EXPECT_EQ(Status(), before);
  EXPECT_EQ(journal_->last_sequence(), 4u);
  EXPECT_EQ(journal_->state().FindRun("r")->granted_through, 64);
}

TEST_F(JournalTest, AGroupWithOneInvalidUpdateIsRefusedWhole) {
  EXPECT_EQ(journal_->Write({Fence(1), Plan(), World(), Grant(1001)}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(journal_->state().has_plan());
  EXPECT_TRUE(disk_->records.empty());
}

TEST_F(JournalTest, AFullDiskLeavesTheStateUnchangedAndTheNextWriteSucceeds) {
  ASSERT_TRUE(journal_->Write({Fence(1)}).ok());
  faulty_->set_append_fault(Fault::kDiskFull);
  EXPECT_EQ(journal_->Write({Plan()}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(journal_->state().has_plan());
  faulty_->set_append_fault(Fault::kNone);
  EXPECT_TRUE(journal_->Write({Plan()}).ok());
  Reopen();
  EXPECT_TRUE(journal_->state().has_plan());
}

TEST_F(JournalTest, AWriteWhoseAnswerWasLostIsFoundAgainBeforeTheNextOne) {
  ASSERT_TRUE(journal_->Write({Fence(1)}).ok());
  faulty_->set_append_fault(Fault::kReplyLost);
  EXPECT_EQ(journal_->Write({Plan()}).code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(journal_->state().has_plan());
  faulty_->set_append_fault(Fault::kNone);
  ASSERT_TRUE(journal_->Settle().ok());
  EXPECT_EQ(journal_->state().PlanOfKey("k"), "p");
  EXPECT_EQ(journal_->Write({Plan()}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(journal_->Write({World()}).ok());
  EXPECT_EQ(disk_->records.size(), 3u);
}

TEST_F(JournalTest, ASnapshotReplacesTheRecordsAndGivesTheSameState) {
  JournalOptions options;
  options.snapshot_every_records = 10;
  Reopen(options);
  ASSERT_TRUE(journal_->Write({Fence(1), Plan(), World()}).ok());
  for (int64_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(journal_->Write({Grant(i)}).ok());
    ASSERT_LT(disk_->records.size(), 10u);
    const std::string before = Status();
    Reopen(options);
    ASSERT_EQ(Status(), before);
    ASSERT_EQ(journal_->last_sequence(), static_cast<uint64_t>(i + 3));
  }
}

TEST_F(JournalTest, AFailedSnapshotLosesNothingAndIsCounted) {
  JournalOptions options;
  options.snapshot_every_records = 2;
  Reopen(options);
  faulty_->set_snapshot_fault(Fault::kDiskFull);
  ASSERT_TRUE(journal_->Write({Fence(1), Plan(), World()}).ok());
  EXPECT_EQ(journal_->failed_snapshots(), 1u);
  const std::string before = Status();
  Reopen(options);
  EXPECT_EQ(Status(), before);
}

TEST_F(JournalTest, ACoordinatorThatWasReplacedCanWriteNoMore) {
  ASSERT_TRUE(journal_->Write({Fence(1)}).ok());
  MemoryStore other(disk_);
  EXPECT_EQ(journal_->Write({Plan()}).code(), absl::StatusCode::kAborted);
}

TEST_F(JournalTest, ARecordThatDoesNotFollowIsNamed) {
  ASSERT_TRUE(journal_->Write({Fence(5)}).ok());
  disk_->records[2] = Fence(4).SerializeAsString();
  MemoryStore store(disk_);
  const absl::Status status = Journal::Open(&store, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("record 2"));
  disk_->records[2] = "\xff\xff";
  EXPECT_EQ(Journal::Open(&store, {}).status().code(), absl::StatusCode::kDataLoss);
  disk_->records.erase(2);
  disk_->records[3] = Fence(6).SerializeAsString();
  EXPECT_EQ(Journal::Open(&store, {}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JournalTest, ARecordAboveTheBoundIsRefused) {
  v1::Update plan = Plan();
  plan.mutable_plan_submitted()->mutable_plan()->set_name(std::string(1 << 20, 'x'));
  EXPECT_EQ(journal_->Write({plan}).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
