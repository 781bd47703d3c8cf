#include "common/digest/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace distill {
namespace {

// RFC 3720, appendix B.4, and the check value of the catalogues of CRCs.
TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising.push_back(c);
  EXPECT_EQ(Crc32c(rising), 0x46DD794Eu);
}

TEST(Crc32c, OfNothingIsZero) { EXPECT_EQ(Crc32c(""), 0u); }

TEST(Crc32c, TheSplitOfTheBytesDoesNotMatter) {
  const std::string bytes = "123456789";
  for (size_t i = 0; i <= bytes.size(); ++i) {
    EXPECT_EQ(ExtendCrc32c(Crc32c(bytes.substr(0, i)), bytes.substr(i)), 0xE3069283u) << i;
  }
}

TEST(Crc32c, TakesASpanOfBytes) {
  EXPECT_EQ(Crc32c(std::as_bytes(std::span<const char>("123456789", 9))), 0xE3069283u);
}

TEST(Crc32c, SeesEachSingleFlippedBit) {
  const std::string bytes(100, 'x');
  for (size_t bit = 0; bit < 800; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    ASSERT_NE(Crc32c(damaged), Crc32c(bytes)) << bit;
  }
}

}  // namespace
}  // namespace distill
