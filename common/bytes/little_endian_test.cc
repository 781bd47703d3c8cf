#include "common/bytes/little_endian.h"

#include <gtest/gtest.h>

#include <string>

namespace distill {
namespace {

TEST(LittleEndianTest, TheLeastByteComesFirst) {
  ByteWriter writer;
  writer.U32(0x04030201);
  writer.U64(0x0c0b0a0908070605);
  EXPECT_EQ(writer.bytes(), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
}

TEST(LittleEndianTest, WhatWasWrittenIsRead) {
  ByteWriter writer;
  writer.U32(0xffffffff);
  writer.Text("");
  writer.Text(std::string("a\0b", 3));
  writer.U64(0xfedcba9876543210);
  writer.Bytes("raw");
  const std::string bytes = writer.Take();
  ByteReader reader(bytes);
  EXPECT_EQ(reader.U32(), 0xffffffff);
  EXPECT_EQ(reader.Text(), "");
  EXPECT_EQ(reader.Text(), std::string("a\0b", 3));
  EXPECT_EQ(reader.U64(), 0xfedcba9876543210);
  EXPECT_EQ(reader.Bytes(3), "raw");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
}

TEST(LittleEndianTest, PastTheEndEverythingIsZeroAndStaysSo) {
  ByteReader reader(
      std::string_view("\x05\x00\x00\x00"
                       "abcd",
                       8));
  EXPECT_EQ(reader.Text(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U32(), 0u);
  EXPECT_EQ(reader.Bytes(1), "");
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace distill
