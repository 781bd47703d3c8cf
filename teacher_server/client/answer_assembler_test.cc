#include "teacher_server/client/answer_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "common/bytes/byte_slices.h"
#include "common/digest/crc32c.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::Labels Part(uint64_t id, uint32_t number, const std::string& bytes, bool last,
                uint64_t total = 0) {
  v1::Labels part;
  part.set_request_id(id);
  part.set_part(number);
  part.set_last(last);
  part.set_total_bytes(total);
  part.set_crc32c(Crc32c(bytes));
  if (number == 0) part.add_sections()->set_output("logits");
  return part;
}

class AnswerAssemblerTest : public ::testing::Test {
 protected:
  AnswerAssemblerTest() { answers_.Expect(1); }

  absl::StatusOr<std::shared_ptr<const ReceivedLabels>> Add(const v1::Labels& part,
                                                            const std::string& bytes) {
    return answers_.Add(part, SlicesOf(bytes));
  }
  void ExpectRefused(const v1::Labels& part, const std::string& bytes, const char* why) {
    const absl::Status status = Add(part, bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }

  AnswerAssembler answers_{100};
};

TEST_F(AnswerAssemblerTest, AnAnswerOfOnePartIsWholeAtOnceAndAligned) {
  v1::Labels part = Part(1, 0, "whole", true, 5);
  part.mutable_stages()->set_infer(2);
  auto labels = Add(part, "whole");
  ASSERT_TRUE(labels.ok()) << labels.status();
  ASSERT_NE(*labels, nullptr);
  EXPECT_EQ((*labels)->payload.view(), "whole");
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*labels)->payload.data()) % kPayloadAlignment, 0u);
  EXPECT_EQ((*labels)->sections.at(0).output(), "logits");
  EXPECT_EQ((*labels)->stages.infer(), 2);
  EXPECT_EQ(answers_.expected(), 0u);
}

TEST_F(AnswerAssemblerTest, PartsAreJoinedAlsoWhereTwoAnswersAreMixed) {
  answers_.Expect(2);
  EXPECT_EQ(Add(Part(1, 0, "abc", false, 5), "abc").value(), nullptr);
  EXPECT_EQ(Add(Part(2, 0, "x", false, 2), "x").value(), nullptr);
  EXPECT_EQ(Add(Part(2, 1, "y", true), "y").value()->payload.view(), "xy");
  EXPECT_EQ(Add(Part(1, 1, "de", true), "de").value()->payload.view(), "abcde");
}

TEST_F(AnswerAssemblerTest, AnEmptyAnswerIsWhole) {
  EXPECT_EQ(Add(Part(1, 0, "", true, 0), "").value()->payload.size(), 0u);
}

TEST_F(AnswerAssemblerTest, DamagedBytesAreRefused) {
  ExpectRefused(Part(1, 0, "whole", true, 5), "whale", "CRC-32C");
}

TEST_F(AnswerAssemblerTest, PartsOutOfOrderAreRefused) {
  ExpectRefused(Part(1, 1, "b", false, 5), "b", "part 0 was due");
  ASSERT_TRUE(Add(Part(1, 0, "a", false, 5), "a").ok());
  ExpectRefused(Part(1, 0, "a", false, 5), "a", "part 1 was due");
  ExpectRefused(Part(1, 2, "c", false), "c", "part 1 was due");
}

TEST_F(AnswerAssemblerTest, LengthsThatDoNotAddUpAreRefused) {
  ExpectRefused(Part(1, 0, "abc", true, 5), "abc", "5 of 5 bytes are missing");
  ExpectRefused(Part(1, 0, "abc", false, 3), "abc", "not the last");
  ExpectRefused(Part(1, 0, "abc", true, 2), "abc", "2 of 2 bytes are missing");
  ExpectRefused(Part(1, 0, "", false, 2), "", "no bytes");
  ASSERT_TRUE(Add(Part(1, 0, "abc", false, 5), "abc").ok());
  ExpectRefused(Part(1, 1, "def", true), "def", "2 of 5 bytes are missing");
}

TEST_F(AnswerAssemblerTest, LabelsThatNobodyAskedForAreRefused) {
  ExpectRefused(Part(9, 0, "a", true, 1), "a", "nobody asked");
  ASSERT_TRUE(Add(Part(1, 0, "a", true, 1), "a").ok());
  ExpectRefused(Part(1, 0, "a", true, 1), "a", "is answered");
}

TEST_F(AnswerAssemblerTest, TheLimitHoldsForAllUnfinishedAnswersTogether) {
  answers_.Expect(2);
  ExpectRefused(Part(1, 0, "a", false, 101), "a", "at most 100");
  ExpectRefused(Part(1, 0, "a", false, ~uint64_t{0}), "a", "at most 100");
  ASSERT_TRUE(Add(Part(1, 0, "a", false, 60), "a").ok());
  ExpectRefused(Part(2, 0, "a", false, 41), "a", "at most 100");
  EXPECT_TRUE(answers_.Finish(1));
  EXPECT_FALSE(answers_.Finish(1));
  EXPECT_TRUE(Add(Part(2, 0, "a", false, 100), "a").ok());
}

}  // namespace
}  // namespace distill
