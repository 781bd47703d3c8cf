#include "distillation/data/idx_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "common/files/fake_file_system.h"
#include "common/files/posix_file_system.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPath[] = "/labels.idx";

// Two rows of three bytes.
std::string Small() {
  return std::string(
      "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
      "abcdef",
      18);
}

std::string Gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(bytes.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

absl::StatusOr<TensorView> Read(const std::string& bytes, const std::string& sha256 = "",
                                size_t max_bytes = kMaxIdxBytes) {
  FakeFileSystem files;
  EXPECT_TRUE(files.Write(kPath, bytes).ok());
  v1::ArrayFile file;
  file.set_path(kPath);
  file.set_sha256(sha256);
  return ReadIdx(files, file, max_bytes);
}

TEST(IdxReader, ReadsPlainAndGzipAlike) {
  for (const std::string& bytes : {Small(), Gzip(Small())}) {
    const auto view = Read(bytes);
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_THAT(view->dims, ElementsAre(2, 3));
    EXPECT_EQ(view->as<uint8_t>()[5], 'f');
  }
}

TEST(IdxReader, EveryTruncationIsRefusedWithTheFilesName) {
  for (size_t size = 0; size < Small().size(); ++size) {
    const auto view = Read(Small().substr(0, size));
    EXPECT_FALSE(view.ok()) << size;
    EXPECT_THAT(std::string(view.status().message()), HasSubstr(kPath));
  }
  const std::string gzip = Gzip(Small());
  EXPECT_EQ(Read(gzip.substr(0, gzip.size() - 9)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(IdxReader, OtherFormatsElementTypesAndTrailingBytesAreRefused) {
  EXPECT_EQ(Read("\x93NUMPY").status().code(), absl::StatusCode::kInvalidArgument);
  std::string floats = Small();
  floats[2] = 0x0d;
  EXPECT_EQ(Read(floats).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(Small() + "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(IdxReader, WhateverFollowsTheGzipDataIsRefused) {
  EXPECT_EQ(Read(Gzip(Small()) + "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(Gzip(Small()) + Gzip(Small())).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(IdxReader, SizesThatOverflowAreRefused) {
  std::string huge("\0\0\x08\x03", 4);
  huge += std::string(12, '\xff');
  EXPECT_FALSE(Read(huge).ok());
}

TEST(IdxReader, AFileThatUnpacksBeyondTheBoundIsRefused) {
  EXPECT_EQ(Read(Gzip(std::string(1 << 20, '\0')), "", 1 << 16).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(IdxReader, AnAlteredFileIsNamed) {
  const auto view = Read(Gzip(Small()), std::string(64, '0'));
  EXPECT_EQ(view.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(view.status().message()), HasSubstr("altered"));
}

TEST(IdxReader, ReadsTheFashionMnistOfDebian) {
  PosixFileSystem files;
  v1::ArrayFile file;
  file.set_path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz");
  file.set_sha256("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b");
  const auto view = ReadIdx(files, file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->dims, ElementsAre(10000, 28, 28));
}

}  // namespace
}  // namespace distill
