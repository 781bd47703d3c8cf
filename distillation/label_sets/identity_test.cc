#include "distillation/label_sets/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace distill {
namespace {

using ::testing::HasSubstr;

LabelSetIdentity Identity() {
  LabelSetIdentity identity;
  identity.fingerprint = "f00d";
  identity.output = "logits";
  identity.numerics_class = "avx2";
  identity.data_set_digest = "data";
  identity.split = v1::TRAIN;
  identity.view_spec_digest = "view";
  identity.codec = "dense_fp32";
  identity.classes = 3;
  identity.examples = 10;
  identity.block_rows = 4;
  identity.part_blocks = 2;
  return identity;
}

using Change = std::function<void(LabelSetIdentity&)>;

// Each field with another valid value.
std::vector<std::pair<std::string, Change>> Changes() {
  return {
      {"fingerprint", [](auto& i) { i.fingerprint = "beef"; }},
      {"output", [](auto& i) { i.output = "feature"; }},
      {"numerics class", [](auto& i) { i.numerics_class = "avx512"; }},
      {"data set digest", [](auto& i) { i.data_set_digest = "other"; }},
      {"split", [](auto& i) { i.split = v1::TEST; }},
      {"view spec digest", [](auto& i) { i.view_spec_digest = "other"; }},
      {"views per example", [](auto& i) { i.views = 2; }},
      {"view seed", [](auto& i) { i.views = 1, i.view_seed = 9; }},
      {"codec", [](auto& i) { i.codec = "dense_fp16"; }},
      {"classes", [](auto& i) { i.classes = 4; }},
      {"examples", [](auto& i) { i.examples = 11; }},
      {"block_rows", [](auto& i) { i.block_rows = 5; }},
      {"part_blocks", [](auto& i) { i.part_blocks = 3; }},
  };
}

TEST(LabelSetIdentityTest, RowsBlocksAndPartsAreCountedAndTheLastMayBeShort) {
  LabelSetIdentity identity = Identity();
  EXPECT_EQ(identity.rows(), 10u);
  EXPECT_EQ(identity.blocks(), 3u);
  EXPECT_EQ(identity.parts(), 2u);
  EXPECT_EQ(identity.RowsOf(1), 4u);
  EXPECT_EQ(identity.RowsOf(2), 2u);
  EXPECT_EQ(identity.BlocksOf(0), 2u);
  EXPECT_EQ(identity.BlocksOf(1), 1u);
  identity.views = 2;
  EXPECT_EQ(identity.rows(), 20u);
  EXPECT_EQ(identity.blocks(), 5u);
}

TEST(LabelSetIdentityTest, EveryFieldSurvivesItsBytesAndChangesTheDigest) {
  ASSERT_EQ(*DecodeIdentity(EncodeIdentity(Identity())), Identity());
  for (const auto& [name, change] : Changes()) {
    LabelSetIdentity other = Identity();
    change(other);
    EXPECT_EQ(*DecodeIdentity(EncodeIdentity(other)), other) << name;
    EXPECT_NE(IdentityDigest(other), IdentityDigest(Identity())) << name;
  }
}

TEST(LabelSetIdentityTest, BytesOfAnotherLengthAreNoIdentity) {
  const std::string bytes = EncodeIdentity(Identity());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeIdentity(bytes.substr(0, length)).status())) << length;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeIdentity(bytes + "x").status()));
}

TEST(LabelSetIdentityTest, AFieldThatDiffersIsNamedWithBothValues) {
  EXPECT_TRUE(CheckHeld(Identity(), Identity()).ok());
  for (const auto& [name, change] : Changes()) {
    LabelSetIdentity asked = Identity();
    change(asked);
    LabelSetIdentity held = Identity();
    if (name == "view seed") held.views = 1;
    const absl::Status status = CheckHeld(asked, held);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  LabelSetIdentity asked = Identity();
  asked.fingerprint = "beef";
  EXPECT_EQ(CheckHeld(asked, Identity()).message(),
            "the set's teacher fingerprint is 'f00d', but 'beef' is asked for; record a set for "
            "this run, or give it the set's own");
}

TEST(LabelSetIdentityTest, LayoutNumericsAndCodecMayBeLeftOpen) {
  LabelSetIdentity asked = Identity();
  asked.numerics_class = asked.codec = "";
  asked.block_rows = asked.part_blocks = 0;
  EXPECT_TRUE(CheckHeld(asked, Identity()).ok());
}

TEST(LabelSetIdentityTest, AnIncompleteOrUnboundedIdentityIsRefused) {
  EXPECT_TRUE(CheckIdentity(Identity()).ok());
  const std::vector<Change> bad = {
      [](auto& i) { i.fingerprint = ""; },
      [](auto& i) { i.output = ""; },
      [](auto& i) { i.data_set_digest = ""; },
      [](auto& i) { i.view_spec_digest = ""; },
      [](auto& i) { i.codec = ""; },
      [](auto& i) { i.codec = std::string(5000, 'c'); },
      [](auto& i) { i.split = v1::SPLIT_UNSPECIFIED; },
      [](auto& i) { i.view_seed = 1; },
      [](auto& i) { i.classes = 0; },
      [](auto& i) { i.classes = uint64_t{1} << 31; },
      [](auto& i) { i.examples = 0; },
      [](auto& i) { i.examples = UINT64_MAX; },
      [](auto& i) { i.block_rows = 0; },
      [](auto& i) { i.part_blocks = 0; },
      [](auto& i) { i.examples = 1'000'000; },
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    LabelSetIdentity identity = Identity();
    bad[i](identity);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckIdentity(identity))) << i;
  }
}

}  // namespace
}  // namespace distill
