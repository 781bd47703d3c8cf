#include "common/bytes/byte_slices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/digest/crc32c.h"

namespace distill {
namespace {

// Larger than what is copied at once, in slices that share no boundary with it.
struct Sliced {
  explicit Sliced(size_t size) : whole(size, '\0') {
    for (size_t i = 0; i < size; ++i) whole[i] = static_cast<char>(i * 7 + i / 251);
    for (size_t at = 0, length = 1; at < size; at += length, length = length * 3 + 1) {
      bytes.slices.push_back(std::string_view(whole).substr(at, length));
    }
  }
  std::string whole;
  ByteSlices bytes;
};

TEST(ByteSlices, AreAsLongAsTheirSlicesTogether) {
  EXPECT_EQ(ByteSlices().size(), 0u);
  EXPECT_EQ(Sliced(100'000).bytes.size(), 100'000u);
  EXPECT_EQ(SlicesOf("").slices.size(), 0u);
  EXPECT_EQ(SlicesOf("abc").size(), 3u);
}

TEST(ByteSlices, ACopyKeepsTheBytesAlive) {
  ByteSlices copy;
  {
    const ByteSlices bytes = SlicesOf(std::string(1000, 'x'));
    copy = bytes;
  }
  EXPECT_EQ(copy.slices.at(0), std::string(1000, 'x'));
}

TEST(ByteSlices, TheChecksumIsThatOfTheBytesJoined) {
  const Sliced sliced(100'000);
  EXPECT_EQ(Crc32c(sliced.bytes), Crc32c(sliced.whole));
}

TEST(ByteSlices, AreCopiedInOrderAndDamageIsSeen) {
  const Sliced sliced(100'000);
  const uint32_t crc = Crc32c(sliced.whole);
  std::string to(sliced.whole.size(), '\0');
  EXPECT_TRUE(CopyChecked(sliced.bytes, std::nullopt, std::as_writable_bytes(std::span(to))));
  EXPECT_EQ(to, sliced.whole);
  to.assign(to.size(), '\0');
  EXPECT_TRUE(CopyChecked(sliced.bytes, crc, std::as_writable_bytes(std::span(to))));
  EXPECT_EQ(to, sliced.whole);
  EXPECT_FALSE(CopyChecked(sliced.bytes, crc ^ 1, std::as_writable_bytes(std::span(to))));
}

}  // namespace
}  // namespace distill
