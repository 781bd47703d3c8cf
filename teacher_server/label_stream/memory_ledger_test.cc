#include "teacher_server/label_stream/memory_ledger.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace distill {
namespace {

TEST(MemoryLedger, WhatIsHeldIsGivenBackWithTheLastCopy) {
  MemoryLedger ledger(100);
  auto account = ledger.Open();
  auto hold = account->TryHold(30);
  auto copy = hold;
  hold.reset();
  EXPECT_EQ(ledger.held(), 30u);
  EXPECT_EQ(account->held(), 30u);
  copy.reset();
  EXPECT_EQ(ledger.held(), 0u);
  EXPECT_EQ(account->held(), 0u);
}

TEST(MemoryLedger, AnAccountMayHoldAsMuchAsItLeavesFree) {
  MemoryLedger ledger(120);
  std::vector<std::shared_ptr<const void>> holds;
  const auto fill = [&](MemoryLedger::Account& account) {
    while (auto hold = account.TryHold(1)) holds.push_back(hold);
    return account.held();
  };
  auto first = ledger.Open();
  auto second = ledger.Open();
  auto third = ledger.Open();
  EXPECT_EQ(fill(*first), 60u);
  EXPECT_EQ(fill(*second), 30u);
  EXPECT_EQ(fill(*third), 15u);
  EXPECT_LE(ledger.held(), ledger.limit());
}

TEST(MemoryLedger, AnAccountThatHoldsNothingMayUseAllThatIsFree) {
  MemoryLedger ledger(100);
  auto account = ledger.Open();
  EXPECT_EQ(account->TryHold(101), nullptr);
  EXPECT_NE(account->TryHold(100), nullptr);
  const auto beyond = account->Hold(150);
  EXPECT_EQ(account->TryHold(1), nullptr);
}

TEST(MemoryLedger, HoldsOutliveTheLedger) {
  std::shared_ptr<const void> hold;
  {
    MemoryLedger ledger(100);
    hold = ledger.Open()->TryHold(10);
  }
  hold.reset();
}

}  // namespace
}  // namespace distill
