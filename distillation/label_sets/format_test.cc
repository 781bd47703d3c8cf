#include "distillation/label_sets/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/bytes/little_endian.h"
#include "common/digest/crc32c.h"
#include "common/digest/sha256.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

LabelSetIdentity Identity() {
  LabelSetIdentity identity;
  identity.fingerprint = "f00d";
  identity.output = "logits";
  identity.data_set_digest = "data";
  identity.split = v1::TRAIN;
  identity.view_spec_digest = "view";
  identity.codec = "dense_fp32";
  identity.classes = 1;
  identity.examples = 10;
  identity.block_rows = 4;
  identity.part_blocks = 2;
  return identity;
}

LabelSetManifest Manifest() {
  LabelSetManifest manifest;
  manifest.identity = Identity();
  manifest.parts = {{100, Sha256Hex("a")}, {50, Sha256Hex("b")}};
  return manifest;
}

const std::vector<EncodedLabels> kBlocks = {{"0123456789abcdef", "par"}, {"fedcba9876543210", ""}};

TEST(LabelSetFormatTest, AManifestIsReadAsItWasWritten) {
  const auto read = DecodeManifest(EncodeManifest(Manifest()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->identity, Identity());
  ASSERT_EQ(read->parts.size(), 2u);
  EXPECT_EQ(read->parts[1].bytes, 50u);
  EXPECT_EQ(read->parts[1].sha256, Sha256Hex("b"));
}

TEST(LabelSetFormatTest, EveryTornOrFlippedManifestIsNoticed) {
  const std::string bytes = EncodeManifest(Manifest());
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeManifest(bytes.substr(0, i)).ok()) << i;
    std::string flipped = bytes;
    flipped[i] ^= 4;
    EXPECT_FALSE(DecodeManifest(flipped).ok()) << i;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(bytes + "x").status()));
}

TEST(LabelSetFormatTest, WhatIsNoManifestOrOfAnotherVersionIsToldApart) {
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeManifest("a text about labels").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeManifest("").status()));
  std::string bytes = EncodeManifest(Manifest());
  bytes[8] = 2;
  const absl::Status status = DecodeManifest(bytes).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 2"));
}

TEST(LabelSetFormatTest, AManifestWithAnotherNumberOfPartsIsRefused) {
  LabelSetManifest manifest = Manifest();
  manifest.parts.pop_back();
  EXPECT_TRUE(absl::IsDataLoss(DecodeManifest(EncodeManifest(manifest)).status()));
}

// The bytes of docs/label_sets.md, written out once by hand.
TEST(LabelSetFormatTest, APartHasTheDocumentedBytes) {
  ByteWriter header;
  header.Bytes("DSLBPART");
  header.U32(1);
  header.U32(0);
  header.Bytes(IdentityDigest(Identity()));
  header.U64(0);
  header.U32(2);
  header.U64(136);
  header.U32(3);
  header.U32(16);
  header.U32(Crc32c("par0123456789abcdef"));
  header.U64(155);
  header.U32(0);
  header.U32(16);
  header.U32(Crc32c("fedcba9876543210"));
  header.U32(Crc32c(header.bytes()));
  ASSERT_EQ(header.bytes().size(), 136u);
  EXPECT_EQ(PartHeaderBytes(2), 136u);
  EXPECT_EQ(*EncodePart(Identity(), 0, kBlocks),
            header.bytes() + "par0123456789abcdef" + "fedcba9876543210");
}

TEST(LabelSetFormatTest, BlocksAreFoundByTheTable) {
  const LabelSetIdentity identity = Identity();
  const std::string file = *EncodePart(identity, 0, kBlocks);
  const auto table =
      DecodePartHeader(identity, IdentityDigest(identity), 0,
                       std::string_view(file).substr(0, PartHeaderBytes(2)), file.size());
  ASSERT_TRUE(table.ok()) << table.status();
  for (size_t i = 0; i < kBlocks.size(); ++i) {
    const PartTable::Entry& entry = table->entries.at(i);
    const auto block =
        DecodeBlock(entry, std::string_view(file).substr(entry.offset, entry.bytes()));
    ASSERT_TRUE(block.ok()) << block.status();
    EXPECT_EQ(block->bytes, kBlocks[i].bytes);
    EXPECT_EQ(block->parameters, kBlocks[i].parameters);
  }
}

TEST(LabelSetFormatTest, EveryTornOrFlippedPartIsNoticed) {
  const LabelSetIdentity identity = Identity();
  const std::string digest = IdentityDigest(identity);
  const std::string file = *EncodePart(identity, 0, kBlocks);
  EXPECT_TRUE(CheckPart(identity, digest, 0, file).ok());
  for (size_t i = 0; i < file.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(CheckPart(identity, digest, 0, file.substr(0, i)))) << i;
    std::string flipped = file;
    flipped[i] ^= 16;
    EXPECT_TRUE(absl::IsDataLoss(CheckPart(identity, digest, 0, flipped))) << i;
  }
  EXPECT_TRUE(absl::IsDataLoss(CheckPart(identity, digest, 0, file + "x")));
}

TEST(LabelSetFormatTest, APartOfAnotherSetOrPlaceIsToldApartFromDamage) {
  LabelSetIdentity other = Identity();
  other.fingerprint = "beef";
  const std::string file = *EncodePart(Identity(), 0, kBlocks);
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckPart(other, IdentityDigest(other), 0, file)));
  const absl::Status misplaced = CheckPart(Identity(), IdentityDigest(Identity()), 1, file);
  EXPECT_TRUE(absl::IsDataLoss(misplaced));
  EXPECT_THAT(std::string(misplaced.message()), HasSubstr("part 0"));
}

}  // namespace
}  // namespace distill
