#include "common/digest/sha256.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

// Examples of FIPS 180 (NIST).
constexpr char kOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfAMillionAs[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(Sha256Hex(""), kOfNothing);
  EXPECT_EQ(Sha256Hex("abc"), kOfAbc);
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')), kOfAMillionAs);
}

TEST(Sha256, PartsGiveTheDigestOfTheWhole) {
  Sha256 digest;
  digest.Update("a");
  digest.Update(std::string_view());
  digest.Update(std::as_bytes(std::span<const char>("bc", 2)));
  EXPECT_EQ(digest.FinishHex(), kOfAbc);
}

TEST(Sha256, StartsAgainAfterItsEnd) {
  Sha256 digest;
  digest.Update("something else");
  digest.FinishHex();
  digest.Update("abc");
  EXPECT_EQ(digest.FinishHex(), kOfAbc);
  EXPECT_EQ(digest.FinishHex(), kOfNothing);
}

}  // namespace
}  // namespace distill
