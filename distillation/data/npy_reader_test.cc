#include "distillation/data/npy_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/digest/sha256.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using std::string_view_literals::operator""sv;

constexpr char kPath[] = "/examples.npy";
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

// A file as in https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
std::string File(int version, std::string_view header, std::string_view elements) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    file += static_cast<char>(header.size() >> (8 * i));
  }
  return file.append(header).append(elements);
}

// The header as NumPy pads it: to a multiple of 64 bytes with magic, version and length.
std::string Padded(int version, std::string header) {
  while ((header.size() + 1 + (version == 1 ? 10 : 12)) % 64 != 0) header += ' ';
  return header + '\n';
}

std::string Array(std::string_view descr, std::string_view shape, std::string_view elements,
                  int version = 1) {
  const std::string header = "{'descr': '" + std::string(descr) +
                             "', 'fortran_order': False, 'shape': " + std::string(shape) + ", }";
  return File(version, Padded(version, header), elements);
}

std::string WithHeader(std::string_view header) { return File(1, header, "abcdef"); }

absl::StatusOr<TensorView> Read(const std::string& bytes, const std::string& sha256 = "",
                                size_t max_bytes = kMaxNpyBytes) {
  FakeFileSystem files;
  EXPECT_TRUE(files.Write(kPath, bytes).ok());
  v1::ArrayFile file;
  file.set_path(kPath);
  file.set_sha256(sha256);
  return ReadNpy(files, file, max_bytes);
}

void ExpectRefused(const std::string& bytes, absl::StatusCode code, const std::string& message) {
  const absl::Status status = Read(bytes).status();
  EXPECT_EQ(status.code(), code) << status << " for " << message;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(kPath), HasSubstr(message)));
}

template <typename T>
std::vector<T> Values(const TensorView& view) {
  const auto values = view.as<T>();
  return {values.begin(), values.end()};
}

// Written by NumPy 2.4.6: numpy.save(path, numpy.arange(6, dtype='uint8').reshape(2, 3)).
TEST(NpyReader, ReadsEveryByteOfAFileThatNumPyWrote) {
  const std::string file(
      "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"
      "                                                          \n\x00\x01\x02\x03\x04\x05",
      134);
  EXPECT_EQ(file, Array("|u1", "(2, 3)", std::string_view("\0\1\2\3\4\5", 6)));
  const auto view = Read(file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->type, ElementType::kUInt8);
  EXPECT_THAT(view->dims, ElementsAre(2, 3));
  EXPECT_THAT(Values<uint8_t>(*view), ElementsAre(0, 1, 2, 3, 4, 5));
}

// Written by NumPy 2.4.6 with numpy.lib.format.write_array(file, array, version=(3, 0)).
TEST(NpyReader, ReadsTheThreeVersionsAlike) {
  const std::string_view elements("\x00\x00\xc0?\x00\x00\x00\xc0", 8);
  const std::string third(
      "\x93NUMPY\x03\x00t\x00\x00\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
      "                                                          \n\x00\x00\xc0?\x00\x00\x00\xc0",
      136);
  EXPECT_EQ(third, Array("<f4", "(2,)", elements, 3));
  for (const int version : {1, 2, 3}) {
    const auto view = Read(Array("<f4", "(2,)", elements, version));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->type, ElementType::kFloat32);
    EXPECT_THAT(view->dims, ElementsAre(2));
    EXPECT_THAT(Values<float>(*view), ElementsAre(1.5f, -2.0f));
  }
}

TEST(NpyReader, ReadsEveryTypeThatATensorViewHasInNumPy) {
  const std::string_view bytes("\x00\x3c\x00\x00\x00\x00\xf0\x3f", 8);
  EXPECT_THAT(Values<uint16_t>(*Read(Array("<f2", "(4,)", bytes))),
              ElementsAre(0x3c00, 0, 0, 0x3ff0));
  EXPECT_THAT(Values<double>(*Read(Array("<f8", "(1,)", "\x00\x00\x00\x00\x00\x00\xf0\x3f"sv))),
              ElementsAre(1.0));
  EXPECT_THAT(Values<int32_t>(*Read(Array("<i4", "(1,)", "\xfe\xff\xff\xff"))), ElementsAre(-2));
  EXPECT_THAT(Values<int64_t>(*Read(Array("<i8", "(1,)", "\xfe\xff\xff\xff\xff\xff\xff\xff"))),
              ElementsAre(-2));
  EXPECT_EQ(Read(Array("<f2", "(4,)", bytes))->type, ElementType::kFloat16);
  EXPECT_EQ(Read(Array("<f8", "(1,)", bytes))->type, ElementType::kFloat64);
  EXPECT_EQ(Read(Array("<i4", "(2,)", bytes))->type, ElementType::kInt32);
  EXPECT_EQ(Read(Array("<i8", "(1,)", bytes))->type, ElementType::kInt64);
  EXPECT_EQ(Read(Array("<u1", "(8,)", bytes))->type, ElementType::kUInt8);
}

TEST(NpyReader, ReadsASingleElementAndNoElements) {
  const auto scalar = Read(Array("<i8", "()", "\x07\0\0\0\0\0\0\0"sv));
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_THAT(scalar->dims, IsEmpty());
  EXPECT_THAT(Values<int64_t>(*scalar), ElementsAre(7));
  const auto none = Read(Array("<f8", "(0, 3)", ""));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(none->dims, ElementsAre(0, 3));
  EXPECT_THAT(Values<double>(*none), IsEmpty());
}

TEST(NpyReader, ReadsTheLayoutsOfOtherWriters) {
  for (const std::string_view header :
       {"{'shape':(2,3),'fortran_order':False,'descr':'|u1'}",
        "{ \"descr\" : \"|u1\" , \"fortran_order\" : False , \"shape\" : ( 2 , 3 , ) , } \n"}) {
    const auto view = Read(WithHeader(header));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_THAT(view->dims, ElementsAre(2, 3));
  }
}

TEST(NpyReader, ElementsAreAlignedWhereverTheHeaderEnds) {
  const std::string elements("\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0",
                             16);
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  for (int i = 0; i < 8; ++i, header += ' ') {
    const auto view = Read(File(1, header, elements));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view->bytes.data()) % alignof(double), 0u) << i;
    EXPECT_THAT(Values<double>(*view), ElementsAre(1.0, -2.0)) << i;
  }
}

TEST(NpyReader, EveryTruncationIsDataLoss) {
  for (const int version : {1, 2, 3}) {
    const std::string file = Array("|u1", "(2, 3)", "abcdef", version);
    for (size_t size = 0; size < file.size(); ++size) {
      ExpectRefused(file.substr(0, size), kDataLoss, "truncated");
    }
  }
}

TEST(NpyReader, BytesBeyondTheLastElementAreRefused) {
  ExpectRefused(Array("|u1", "(2, 3)", "abcdefg"), kInvalid, "promises 6 bytes");
  ExpectRefused(Array("<f4", "(0,)", "abcd"), kInvalid, "promises 0 bytes");
}

TEST(NpyReader, OtherFormatsAreRefusedWithTheWayToConvertThem) {
  ExpectRefused(std::string("\0\0\x08\x01\0\0\0\0", 8), kInvalid, "not a .npy file");
  ExpectRefused("\x1f\x8b\x08 gzip", kInvalid, "gunzip");
  ExpectRefused("PK\x03\x04 npz", kInvalid, "numpy.load(archive)['name']");
}

TEST(NpyReader, OtherVersionsAreRefused) {
  for (const int version : {0, 4, 255}) {
    ExpectRefused(Array("|u1", "(6,)", "abcdef", version), kInvalid,
                  "version " + std::to_string(version) + ".0");
  }
  std::string minor = Array("|u1", "(6,)", "abcdef");
  minor[7] = 1;
  ExpectRefused(minor, kInvalid, "version 1.1");
}

TEST(NpyReader, OtherElementTypesAreRefusedWithTheirConversion) {
  const std::pair<const char*, const char*> cases[] = {
      {"|b1", "array.astype('uint8')"},
      {"|i1", "array.astype('int32')"},
      {"<i2", "array.astype('int32')"},
      {"<u2", "array.astype('int32')"},
      {"<u4", "array.astype('int64')"},
      {"<u8", "array.astype('int64')"},
      {"<f16", "array.astype('float32')"},
      {"<c8", "array.real.astype('float32')"},
      {"|V2", "bfloat16"},
      {"<U3", "array of numbers"},
      {"<M8[s]", "array of numbers"},
      {"", "array of numbers"},
      {"|f4", "array.astype('float32')"},
      {"f4", "NumPy type 'f4'"},
      {"<f4x", "NumPy type '<f4x'"},
      {"\xff\n", "NumPy type '\\xff\\n'"},
      {">f4", "array.astype('float32')"},
      {">f2", "array.astype('float16')"},
      {">f8", "array.astype('float64')"},
      {">i4", "array.astype('int32')"},
      {">i8", "array.astype('int64')"},
  };
  for (const auto& [descr, message] : cases) {
    ExpectRefused(Array(descr, "(1,)", "abcdefgh"), kInvalid, message);
  }
  ExpectRefused(Array(">f4", "(2,)", "abcdefgh"), kInvalid, "big-endian");
  // A message stays short whatever the header holds.
  EXPECT_LT(Read(Array(std::string(5000, 'x'), "(1,)", "a")).status().message().size(), 300u);
}

TEST(NpyReader, PickledObjectsAreRefusedUnread) {
  ExpectRefused(Array("|O", "(1,)", "cos\nsystem\n(S'true'\ntR."), kInvalid, "never loaded");
  ExpectRefused(Array("O", "(1,)", ""), kInvalid, "never loaded");
}

TEST(NpyReader, RecordsAreRefusedWithTheWayToSaveOneField) {
  ExpectRefused(WithHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n"),
                kInvalid, "array['field']");
}

TEST(NpyReader, FortranOrderIsRefusedWithItsConversion) {
  ExpectRefused(WithHeader("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n"),
                kInvalid, "numpy.ascontiguousarray");
}

TEST(NpyReader, AHeaderLongerThanTheFileOrThanAnyRealOneIsRefused) {
  std::string longer = Array("|u1", "(6,)", "abcdef");
  longer[9] = 0x20;
  ExpectRefused(longer, kDataLoss, "truncated within its header");
  std::string endless = Array("|u1", "(6,)", "abcdef", 2);
  endless.replace(8, 4, "\xff\xff\xff\xff");
  ExpectRefused(endless, kInvalid, "4294967295 bytes");
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }";
  const std::string most = header + std::string(10'000 - header.size(), ' ');
  EXPECT_TRUE(Read(WithHeader(most)).ok());
  ExpectRefused(WithHeader(most + ' '), kInvalid, "10001 bytes");
}

TEST(NpyReader, ShapesThatCannotBeAreRefused) {
  ExpectRefused(Array("|u1", "(-6,)", "abcdef"), kInvalid, "negative");
  ExpectRefused(Array("|u1", "(-2, -3)", "abcdef"), kInvalid, "negative");
  ExpectRefused(Array("|u1", "(0, -1)", ""), kInvalid, "negative");
  ExpectRefused(Array("|u1", "(9223372036854775808,)", ""), kInvalid, "below 2^63");
  ExpectRefused(Array("|u1", "(18446744073709551622,)", "abcdef"), kInvalid, "below 2^63");
  ExpectRefused(Array("|u1", "(9223372036854775807,)", "abcdef"), kDataLoss, "truncated");
  // 2^64 elements, and 2^62 of 4 bytes: 0 bytes to a product that wraps.
  const auto range = absl::StatusCode::kOutOfRange;
  ExpectRefused(Array("|u1", "(4294967296, 4294967296)", ""), range, "2^63 - 1");
  ExpectRefused(Array("<f4", "(4611686018427387904,)", ""), range, "2^63 - 1");
}

TEST(NpyReader, MoreDimensionsThanNumPyHasAreRefused) {
  std::string shape = "(";
  for (int i = 0; i < 64; ++i) shape += "1, ";
  EXPECT_TRUE(Read(Array("|u1", shape + ")", "a")).ok());
  ExpectRefused(Array("|u1", shape + "1)", "a"), kInvalid, "at most 64 sizes");
}

TEST(NpyReader, AHeaderThatNumPyDoesNotWriteIsRefusedWhereItGoesWrong) {
  const std::string good = "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)";
  ASSERT_TRUE(Read(WithHeader(good + "}")).ok());
  const std::pair<std::string, const char*> cases[] = {
      {"", "'{' expected at byte 0"},
      {"[]", "'{' expected at byte 0"},
      {"{}", "the key 'descr' expected"},
      {"{,}", "a string expected at byte 1"},
      {"{'descr': '|u1'}", "the key 'fortran_order' expected"},
      {"{'descr': '|u1', 'fortran_order': False}", "the key 'shape' expected"},
      {good, "'}' expected"},
      {good + ",,}", "a string expected"},
      {good + "} x", "nothing more expected"},
      {good + "}}", "nothing more expected"},
      {good + std::string("}\0", 2), "nothing more expected"},
      {good + ", 'descr': '|u1'}", "one each"},
      {good + ", 'fortran_order': False}", "one each"},
      {good + ", 'shape': (6,)}", "one each"},
      {good + ", 'more': 1}", "one each"},
      {good + " 'more': 1}", "'}' expected"},
      {"{descr: '|u1'}", "a string expected"},
      {"{'descr' '|u1'}", "':' expected"},
      {"{'descr': None}", "a string expected"},
      {"{'descr': '|u1}", "a string that ends expected"},
      {"{'descr': '|u1\"}", "a string that ends expected"},
      {"{'descr': '\\x7cu1'}", "without backslashes"},
      {"{'fortran_order': 0}", "True or False expected"},
      {"{'fortran_order': Falsehood}", "'}' expected"},
      {"{'shape': 6}", "'(' expected"},
      {"{'shape': [6]}", "'(' expected"},
      {"{'shape': (6)}", "',' after the only size"},
      {"{'shape': (,)}", "an integer expected"},
      {"{'shape': (2,,3)}", "an integer expected"},
      {"{'shape': (2 3)}", "',' or ')' expected"},
      {"{'shape': (6L,)}", "',' or ')' expected"},
      {"{'shape': (6.0,)}", "',' or ')' expected"},
      {"{'shape': (06,)}", "leading zeros"},
      {"{'shape': (-06,)}", "leading zeros"},
      {"{'shape': (-0,)}", "leading zeros"},
      {"{'shape': (+6,)}", "an integer expected"},
      {"{'shape': (0x6,)}", "',' or ')' expected"},
      {"{'shape': (__import__('os').getpid(),)}", "an integer expected"},
      {"{'shape': ((6,),)}", "an integer expected"},
      {"{'shape': (6,", "an integer expected"},
      {"{'shape': (6, -", "an integer expected"},
      {std::string(9000, '{'), "a string expected at byte 1"},
      {"{'shape': " + std::string(9000, '('), "an integer expected"},
  };
  for (const auto& [header, message] : cases) {
    SCOPED_TRACE(header.substr(0, 80));
    ExpectRefused(WithHeader(header), kInvalid, message);
  }
}

TEST(NpyReader, AnAlteredFileIsNamedBeforeItIsParsed) {
  const std::string file = Array("|u1", "(2, 3)", "abcdef");
  EXPECT_TRUE(Read(file, Sha256Hex(file)).ok());
  for (const std::string& altered : {Array("|u1", "(2, 3)", "abcdeg"), std::string("x")}) {
    const absl::Status status = Read(altered, Sha256Hex(file)).status();
    EXPECT_EQ(status.code(), kDataLoss);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(kPath), HasSubstr("altered")));
  }
}

TEST(NpyReader, AFileBeyondTheBoundAndAMissingOneAreRefusedAsTheFileSystemDoes) {
  const std::string file = Array("|u1", "(2, 3)", "abcdef");
  EXPECT_TRUE(Read(file, "", file.size()).ok());
  const absl::Status status = Read(file, "", file.size() - 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr(kPath));
  FakeFileSystem files;
  v1::ArrayFile missing;
  missing.set_path(kPath);
  EXPECT_EQ(ReadNpy(files, missing).status().code(), absl::StatusCode::kNotFound);
}

TEST(NpyReader, TheViewOutlivesTheFileSystemItCameFrom) {
  auto view = Read(Array("|u1", "(2, 3)", "abcdef"));
  ASSERT_TRUE(view.ok());
  const TensorView copy = *view;
  view = absl::UnknownError("gone");
  EXPECT_EQ(copy.as<uint8_t>()[5], 'f');
}

// Overwrites, removes and inserts a few bytes, often ones with a meaning in a header.
std::string Mutated(std::string file, std::mt19937_64& random) {
  constexpr std::string_view kMeaning =
      "\0\1\2\3\x7f\x80\xff{}()[]'\":, \n-0123456789<>|=fuiOTF\\"sv;
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
  for (size_t n = 1 + below(3); n > 0 && !file.empty(); --n) {
    const size_t at = below(2) == 0 ? below(file.size()) : below(std::min<size_t>(file.size(), 70));
    const char byte =
        below(3) == 0 ? static_cast<char>(below(256)) : kMeaning[below(kMeaning.size())];
    switch (below(8)) {
      case 0:
        file.erase(at, 1 + below(3));
        break;
      case 1:
        file.insert(at, 1, byte);
        break;
      case 2:
        if (below(8) == 0) file.resize(at);
        break;
      default:
        file[at] = byte;
    }
  }
  return file;
}

TEST(NpyReader, AMutatedFileIsReadWhollyOrRefusedWithItsName) {
  constexpr uint64_t kSeed = 20261124;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937_64 random(kSeed);
  const std::string files[] = {
      Array("|u1", "(2, 3)", "abcdef"),
      Array("<f4", "(1, 1, 2)", "abcdefgh", 2),
      Array("<f8", "(1,)", "abcdefgh", 3),
      File(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", "abcdefgh"),
  };
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string file = Mutated(files[i % 4], random);
    const auto view = Read(file);
    if (!view.ok()) {
      ASSERT_THAT(std::string(view.status().message()), HasSubstr(kPath)) << i;
      continue;
    }
    ++read;
    const size_t element_bytes = ElementBytes(view->type);
    ASSERT_EQ(view->bytes.size(), static_cast<size_t>(view->elements()) * element_bytes) << i;
    ASSERT_EQ(reinterpret_cast<uintptr_t>(view->bytes.data()) % element_bytes, 0u) << i;
    ASSERT_TRUE(file.ends_with(
        std::string_view(reinterpret_cast<const char*>(view->bytes.data()), view->bytes.size())))
        << i;
  }
  // Neither side is a rarity, so both are tested.
  EXPECT_GT(read, 1'000);
  EXPECT_LT(read, 19'000);
}

}  // namespace
}  // namespace distill
