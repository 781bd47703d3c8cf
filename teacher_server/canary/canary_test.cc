#include "teacher_server/canary/canary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kInterval = absl::Seconds(30);
constexpr absl::Duration kNow = absl::Seconds(100);

// Example i is {i}, of id 100 + i, and its logits are {i, 2 i, -1}.
std::vector<float> LogitsOf(const std::vector<float>& examples) {
  std::vector<float> logits;
  for (const float i : examples) logits.insert(logits.end(), {i, 2 * i, -1});
  return logits;
}

CanaryRecord Record(int examples) {
  CanaryRecord record;
  record.fingerprint = "abc123def456789";
  record.output = "logits";
  std::vector<float> values;
  for (int i = 0; i < examples; ++i) {
    record.ids.push_back(100 + i);
    values.push_back(static_cast<float>(i));
  }
  record.logits = MakeTensorView(ElementType::kFloat32, {examples, 3}, LogitsOf(values));
  record.examples = MakeTensorView(ElementType::kFloat32, {examples, 1}, std::move(values));
  return record;
}

CanaryOptions Options() {
  CanaryOptions options;
  options.interval = kInterval;
  options.batch_examples = 4;
  options.max_batch_examples = 8;
  return options;
}

std::vector<float> Ask(Canary& canary) {
  const TensorView examples = canary.Ask();
  const auto values = examples.as<float>();
  EXPECT_EQ(examples.dims, (std::vector<int64_t>{static_cast<int64_t>(values.size()), 1}));
  return {values.begin(), values.end()};
}

TensorView Logits(std::vector<float> values) {
  const auto rows = static_cast<int64_t>(values.size() / 3);
  return MakeTensorView(ElementType::kFloat32, {rows, 3}, std::move(values));
}

absl::Status AskAndAnswer(Canary& canary, absl::Duration now) {
  return canary.Judge(Logits(LogitsOf(Ask(canary))), now);
}

Canary Proven(int examples = 10) {
  Canary canary(Record(examples), Options());
  while (!canary.proven()) EXPECT_TRUE(AskAndAnswer(canary, kNow).ok());
  return canary;
}

TEST(Canary, AModelWithoutARecordIsNeverAsked) {
  EXPECT_TRUE(Canary().proven());
  EXPECT_EQ(Canary().due(), absl::InfiniteDuration());
  Canary empty(Record(0), Options());
  empty.Suspect(kNow);
  EXPECT_TRUE(empty.proven());
  EXPECT_EQ(empty.due(), absl::InfiniteDuration());
}

TEST(Canary, AtFirstAllOfTheRecordIsAskedInBatches) {
  Canary canary(Record(10), Options());
  EXPECT_LE(canary.due(), absl::ZeroDuration());
  EXPECT_THAT(Ask(canary), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(canary.due(), absl::InfiniteDuration()) << "one question at a time";
  EXPECT_TRUE(canary.Judge(Logits(LogitsOf({0, 1, 2, 3, 4, 5, 6, 7})), kNow).ok());
  EXPECT_FALSE(canary.proven());
  EXPECT_LE(canary.due(), kNow);
  EXPECT_THAT(Ask(canary), ElementsAre(8, 9));
  EXPECT_TRUE(canary.Judge(Logits(LogitsOf({8, 9})), kNow).ok());
  EXPECT_TRUE(canary.proven());
  EXPECT_EQ(canary.due(), kNow + kInterval);
}

TEST(Canary, ThenAPartAtEachIntervalAndAllInTurn) {
  Canary canary = Proven();
  std::vector<std::vector<float>> asked;
  for (int i = 0; i < 4; ++i) {
    const absl::Duration now = canary.due();
    asked.push_back(Ask(canary));
    EXPECT_TRUE(canary.Judge(Logits(LogitsOf(asked.back())), now).ok());
    EXPECT_EQ(canary.due(), now + kInterval);
  }
  EXPECT_THAT(asked, ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5, 6, 7),
                                 ElementsAre(8, 9), ElementsAre(0, 1, 2, 3)));
}

TEST(Canary, WithoutAnIntervalOnlyASuspicionAsksAgain) {
  CanaryOptions options = Options();
  options.interval = absl::InfiniteDuration();
  Canary canary(Record(4), options);
  ASSERT_TRUE(AskAndAnswer(canary, kNow).ok());
  EXPECT_EQ(canary.due(), absl::InfiniteDuration());
  canary.Suspect(kNow);
  EXPECT_EQ(canary.due(), kNow);
}

TEST(Canary, AWrongAnswerIsNamedByExampleFaultAndFingerprint) {
  Canary canary = Proven();
  ASSERT_TRUE(AskAndAnswer(canary, kNow).ok());
  std::vector<float> logits = LogitsOf(Ask(canary));  // of 4, 5, 6, 7
  logits[3 * 2 + 1] = 5.5;
  const absl::Status status = canary.Judge(Logits(logits), kNow);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("example 106 of fingerprint abc123def456...: logits of class 1 is 5.5, "
                        "recorded 12 (may differ by 0.01312); 1 of 4 rows are off: the answers of "
                        "other weights"));
  EXPECT_GT(canary.deviation(), 1);
}

TEST(Canary, AModelThatFailsOnItsCanariesIsAtFaultButNotForWantOfRoom) {
  for (const bool proven : {false, true}) {
    for (const auto& [error, tolerated] :
         std::vector<std::pair<absl::Status, bool>>{{absl::InternalError("broken"), false},
                                                    {absl::DataLossError("row 3 is nan"), false},
                                                    {absl::ResourceExhaustedError("busy"), true},
                                                    {absl::UnavailableError("busy"), true},
                                                    {absl::CancelledError("busy"), true}}) {
      Canary canary = proven ? Proven() : Canary(Record(10), Options());
      Ask(canary);
      const absl::Status status = canary.Judge(error, kNow);
      EXPECT_EQ(status.ok(), tolerated && proven) << error;
      if (status.ok()) {
        EXPECT_EQ(canary.due(), kNow + kInterval);
      } else {
        EXPECT_THAT(std::string(status.message()), HasSubstr("abc123def456"));
        EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(error.message())));
      }
    }
  }
}

TEST(Canary, ASuspicionIsFollowedUpAtOnceButNotAgainAndAgain) {
  Canary canary = Proven();
  canary.Suspect(kNow);
  EXPECT_LE(canary.due(), kNow);
  ASSERT_TRUE(AskAndAnswer(canary, kNow).ok());
  canary.Suspect(kNow + absl::Milliseconds(999));
  EXPECT_EQ(canary.due(), kNow + kInterval);
  canary.Suspect(kNow + absl::Seconds(1));
  EXPECT_EQ(canary.due(), kNow + absl::Seconds(1));
}

TEST(Canary, RecordsThatDoNotBelongTogetherAreRefused) {
  EXPECT_TRUE(Record(3).Validate().ok());
  const auto refused = [](auto change) {
    CanaryRecord record = Record(3);
    change(record);
    EXPECT_EQ(record.Validate().code(), absl::StatusCode::kInvalidArgument);
  };
  refused([](CanaryRecord& record) { record.ids.pop_back(); });
  refused([](CanaryRecord& record) { record.examples = Record(2).examples; });
  refused([](CanaryRecord& record) { record.logits = Record(2).logits; });
  refused([](CanaryRecord& record) { record.logits = record.examples = TensorView(); });
  refused([](CanaryRecord& record) {
    record.logits = Logits({1, 2, 3, 4, 5, 6, 7, 8, std::numeric_limits<float>::infinity()});
  });
}

}  // namespace
}  // namespace distill
