#include "common/safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/fake_file_system.h"
#include "common/random/random.h"
#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Code = absl::StatusCode;

// A file with this header and as many zero bytes of elements.
std::string File(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return absl::StrCat(file, header, std::string(data_bytes, '\0'));
}

absl::StatusOr<Safetensors> Parse(const std::string& file, const SafetensorsLimits& limits = {}) {
  const auto owner = std::make_shared<const std::string>(file);
  return ParseSafetensors(std::as_bytes(std::span<const char>(*owner)), owner, "m.safetensors",
                          limits);
}

Safetensors Example() {
  Safetensors contents;
  contents.tensors["w"] = MakeTensorView<float>(ElementType::kFloat32, {2, 1}, {1.5f, -2.0f});
  contents.tensors["bytes"] = MakeTensorView<uint8_t>(ElementType::kUInt8, {3}, {1, 2, 3});
  contents.tensors["ids"] = MakeTensorView<int64_t>(ElementType::kInt64, {}, {-7});
  contents.metadata = {{"format", "pt"}};
  return contents;
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const auto read = Parse(*SerializeSafetensors(Example()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->metadata, ElementsAre(Pair("format", "pt")));
  ASSERT_EQ(read->tensors.size(), 3u);
  EXPECT_THAT(read->tensors.at("w").dims, ElementsAre(2, 1));
  EXPECT_THAT(read->tensors.at("w").as<float>(), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(read->tensors.at("bytes").as<uint8_t>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(read->tensors.at("ids").as<int64_t>(), ElementsAre(-7));
}

TEST(Safetensors, EveryTypeSurvivesTheWay) {
  Safetensors contents;
  contents.tensors["a"] = MakeTensorView<float>(ElementType::kFloat32, {1}, {1});
  contents.tensors["b"] = MakeTensorView<uint16_t>(ElementType::kFloat16, {1}, {2});
  contents.tensors["c"] = MakeTensorView<uint16_t>(ElementType::kBFloat16, {1}, {3});
  contents.tensors["d"] = MakeTensorView<double>(ElementType::kFloat64, {1}, {4});
  contents.tensors["e"] = MakeTensorView<uint8_t>(ElementType::kUInt8, {1}, {5});
  contents.tensors["f"] = MakeTensorView<int32_t>(ElementType::kInt32, {1}, {6});
  contents.tensors["g"] = MakeTensorView<int64_t>(ElementType::kInt64, {0}, {});
  const auto read = Parse(*SerializeSafetensors(contents));
  ASSERT_TRUE(read.ok()) << read.status();
  for (const auto& [name, view] : contents.tensors) {
    EXPECT_EQ(read->tensors.at(name).type, view.type) << name;
    EXPECT_TRUE(std::ranges::equal(read->tensors.at(name).bytes, view.bytes)) << name;
  }
}

// The layout by hand: 8-byte elements first, then 4, then 1; keys sorted; padded to 8.
TEST(Safetensors, TheBytesWrittenAreTheseAndNoOthers) {
  std::string header = R"({"__metadata__":{"format":"pt"},)"
                       R"("bytes":{"data_offsets":[16,19],"dtype":"U8","shape":[3]},)"
                       R"("ids":{"data_offsets":[0,8],"dtype":"I64","shape":[]},)"
                       R"("w":{"data_offsets":[8,16],"dtype":"F32","shape":[2,1]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data(
      "\xf9\xff\xff\xff\xff\xff\xff\xff\x00\x00\xc0\x3f\x00\x00\x00\xc0\x01\x02\x03", 19);
  EXPECT_EQ(*SerializeSafetensors(Example()), absl::StrCat(File(header, 0), data));
}

TEST(Safetensors, AnEmptyFileHoldsNothing) {
  const auto read = Parse(*SerializeSafetensors({}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->tensors.empty());
}

TEST(Safetensors, TensorsShareTheMemoryAndKeepItAlive) {
  auto owner = std::make_shared<const std::string>(*SerializeSafetensors(Example()));
  auto read = ParseSafetensors(std::as_bytes(std::span<const char>(*owner)), owner, "f");
  ASSERT_TRUE(read.ok());
  const TensorView view = read->tensors.at("w");
  const auto* begin = reinterpret_cast<const std::byte*>(owner->data());
  EXPECT_TRUE(view.bytes.data() > begin && view.bytes.data() < begin + owner->size());
  owner.reset();
  read = absl::CancelledError();
  EXPECT_THAT(view.as<float>(), ElementsAre(1.5f, -2.0f));
}

TEST(Safetensors, AnUnalignedTensorIsCopiedToAnAlignedPlace) {
  std::string file = File(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("w":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                          5);
  file[file.size() - 1] = '\x40';  // 0x40000000 is 2.0f.
  const auto read = Parse(file);
  ASSERT_TRUE(read.ok()) << read.status();
  const TensorView& view = read->tensors.at("w");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % 4, 0u);
  EXPECT_THAT(view.as<float>(), ElementsAre(2.0f));
}

TEST(Safetensors, ReadsAndWritesFiles) {
  FakeFileSystem files;
  ASSERT_TRUE(WriteSafetensors(files, "/m.safetensors", Example()).ok());
  files.Crash();
  const auto read = ReadSafetensors(files, "/m.safetensors", 1000);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->tensors.at("w").as<float>(), ElementsAre(1.5f, -2.0f));
  EXPECT_EQ(ReadSafetensors(files, "/m.safetensors", 50).status().code(), Code::kOutOfRange);
  EXPECT_EQ(ReadSafetensors(files, "/no", 50).status().code(), Code::kNotFound);
}

struct Hostile {
  const char* name;
  std::string header;
  size_t data_bytes;
  const char* message;
  Code code = Code::kInvalidArgument;
};

std::string Tensor(const std::string& shape, const std::string& offsets,
                   const std::string& dtype = "F32") {
  return absl::StrCat(R"({"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)",
                      offsets, "}");
}
std::string OneTensor(const std::string& shape, const std::string& offsets,
                      const std::string& dtype = "F32") {
  return absl::StrCat(R"({"w":)", Tensor(shape, offsets, dtype), "}");
}
std::string TwoTensors(const std::string& offsets1, const std::string& offsets2) {
  return absl::StrCat(R"({"v":)", Tensor("[1]", offsets1), R"(,"w":)", Tensor("[1]", offsets2),
                      "}");
}

std::vector<Hostile> HostileHeaders() {
  const std::string good = Tensor("[1]", "[0,4]");
  return {
      {"NoObject", "[1]", 0, "no JSON object"},
      {"NoHeader", "", 0, "no JSON object"},
      {"NotJson", "{\"w\":", 0, "not JSON at byte"},
      {"MoreAfterTheObject", "{} {}", 0, "not JSON at byte"},
      {"NotUtf8", "{\"\xff\":{}}", 0, "not JSON at byte"},
      {"TensorIsNoObject", R"({"w":3})", 0, "tensor 'w' has a number where an object belongs"},
      {"TensorIsNull", R"({"w":null})", 0, "tensor 'w' has null"},
      {"TensorIsAnArray", R"({"w":[]})", 0, "tensor 'w' has an array"},
      {"TooDeepObject", R"({"w":{"dtype":{}}})", 0, "tensor 'w' has an object out of place"},
      {"TooDeepArray", R"({"w":{"shape":[[1]]}})", 0, "tensor 'w' has an array out of place"},
      {"ObjectInArray", R"({"w":{"shape":[{}]}})", 0, "tensor 'w' has an object out of place"},
      {"DepthWithoutEnd", std::string(100000, '{'), 0, "not JSON"},
      {"ArraysWithoutEnd", R"({"w":)" + std::string(100000, '['), 0, "an array"},
      {"DuplicateName", absl::StrCat(R"({"w":)", good, R"(,"w":)", good, "}"), 4, "'w' twice"},
      {"DuplicateField", R"({"w":{"dtype":"F32","dtype":"F32"}})", 0, "'dtype' twice"},
      {"DuplicateMetadata", R"({"__metadata__":{"a":"1","a":"2"}})", 0, "'a' twice"},
      {"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0, "'__metadata__' twice"},
      {"MetadataNoString", R"({"__metadata__":{"a":1}})", 0, "__metadata__ has a number"},
      {"MetadataNoObject", R"({"__metadata__":"a"})", 0, "__metadata__ has a string"},
      {"UnknownField", R"({"w":{"stride":[1]}})", 0, "unknown field 'stride'"},
      {"NoDtype", R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, "lacks 'dtype'"},
      {"NoShape", R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, "lacks 'shape'"},
      {"NoOffsets", R"({"w":{"dtype":"F32","shape":[1]}})", 4, "lacks 'data_offsets'"},
      {"BadDtype", OneTensor("[1]", "[0,4]", "F99"), 4, "tensor 'w' has the dtype 'F99'",
       Code::kUnimplemented},
      {"DtypeIsANumber", R"({"w":{"dtype":3}})", 0, "a number out of place in 'dtype'"},
      {"ShapeIsAString", R"({"w":{"shape":"1"}})", 0, "a string out of place in 'shape'"},
      {"StringInShape", R"({"w":{"shape":["1"]}})", 0, "a string out of place in 'shape'"},
      {"BooleanInShape", R"({"w":{"shape":[true]}})", 0, "a boolean out of place"},
      {"NegativeDimension", OneTensor("[-1]", "[0,4]"), 4, "the negative number -1"},
      {"FractionalDimension", OneTensor("[1.5]", "[0,4]"), 4, "the number 1.5"},
      {"DimensionAbove63Bits", OneTensor("[9223372036854775808]", "[0,4]"), 4, "above 2^63 - 1"},
      {"DimensionAbove64Bits", OneTensor("[99999999999999999999]", "[0,4]"), 4, "the number 9999"},
      {"ProductOverflows", OneTensor("[4294967296,4294967296]", "[0,4]"), 4, "2^63 - 1 bytes"},
      {"BytesOverflow", OneTensor("[4611686018427387905]", "[0,4]"), 4, "2^63 - 1 bytes"},
      {"TooManyDimensions", OneTensor("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4,
       "more than 16 numbers in 'shape'"},
      {"OneOffset", OneTensor("[1]", "[0]"), 4, "a begin and an end"},
      {"ThreeOffsets", OneTensor("[1]", "[0,4,8]"), 4, "more than 2 numbers"},
      {"OffsetsBackwards", OneTensor("[1]", "[4,0]"), 4, "the offsets 4 to 0"},
      {"OffsetsPastTheFile", OneTensor("[2]", "[0,8]"), 4, "is it truncated?"},
      {"ShapeOfAnotherSize", OneTensor("[2]", "[0,4]"), 4, "needs 8"},
      {"Overlap", TwoTensors("[0,4]", "[2,6]"), 6, "'w' begins at 2, which overlaps"},
      {"SameOffsets", TwoTensors("[0,4]", "[0,4]"), 4, "overlaps"},
      {"HoleBetween", TwoTensors("[0,4]", "[8,12]"), 12, "'w' begins at 8, which leaves a hole"},
      {"HoleAtTheStart", OneTensor("[1]", "[4,8]"), 8, "leaves a hole"},
      {"BytesAtTheEnd", OneTensor("[1]", "[0,4]"), 9, "last 5 bytes belong to no tensor"},
  };
}

class HostileHeaderTest : public ::testing::TestWithParam<Hostile> {};

INSTANTIATE_TEST_SUITE_P(Each, HostileHeaderTest, ::testing::ValuesIn(HostileHeaders()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(HostileHeaderTest, IsRefusedWithTheFileAndTheReason) {
  const absl::Status status = Parse(File(GetParam().header, GetParam().data_bytes)).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("m.safetensors: "), HasSubstr(GetParam().message)));
}

TEST(Safetensors, RefusesAHeaderLongerThanTheFile) {
  for (const uint64_t length : {uint64_t{3}, ~uint64_t{0}, uint64_t{1} << 63}) {
    std::string file(8, '\0');
    std::memcpy(file.data(), &length, 8);
    const absl::Status status = Parse(file + "{}").status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("the header claims"));
  }
}

TEST(Safetensors, RefusesWhatIsBeyondTheLimits) {
  const std::string file = File(TwoTensors("[0,4]", "[4,8]"), 8);
  EXPECT_TRUE(Parse(file, {.max_tensors = 2}).ok());
  EXPECT_EQ(Parse(file, {.max_header_bytes = 50}).status().code(), Code::kResourceExhausted);
  const std::string three =
      absl::StrCat(R"({"u":)", Tensor("[0]", "[0,0]"), R"(,"v":)", Tensor("[0]", "[0,0]"),
                   R"(,"w":)", Tensor("[0]", "[0,0]"), "}");
  EXPECT_TRUE(Parse(File(three, 0)).ok());
  EXPECT_EQ(Parse(File(three, 0), {.max_tensors = 1}).status().code(), Code::kResourceExhausted);
}

TEST(Safetensors, RefusesEveryTruncationOfAFile) {
  const std::string file = *SerializeSafetensors(Example());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(Parse(file.substr(0, size)).status().code(), Code::kInvalidArgument) << size;
  }
}

// Nothing to assert but that it ends, in bounds: run it under a sanitizer.
TEST(Safetensors, DamagedFilesAreReadInBounds) {
  const std::string file = *SerializeSafetensors(Example());
  const uint64_t seed = TestSeed();
  for (uint64_t i = 0; i < 3000; ++i) {
    std::string damaged = file;
    for (uint64_t k = 0; k < 3; ++k) {
      damaged[UniformBelow(seed, 3 * i + k, 0, file.size())] =
          static_cast<char>(UniformBelow(seed, 3 * i + k, 1, 256));
    }
    const auto read = Parse(damaged);
    if (!read.ok()) continue;
    for (const auto& [name, view] : read->tensors) {
      ASSERT_EQ(view.bytes.size(), view.elements() * ElementBytes(view.type));
    }
  }
}

TEST(Safetensors, ALongOrUnprintableNameIsCutAndEscapedInErrors) {
  const std::string name = "\\n" + std::string(5000, 'x');
  const absl::Status status = Parse(File(absl::StrCat(R"({")", name, R"(":3})"), 0)).status();
  EXPECT_LT(status.message().size(), 250u);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'\\nxxx"));
}

TEST(SerializeSafetensors, RefusesWhatItCannotWriteAndNamesTheTensor) {
  const auto refused = [](const std::string& name, TensorView view) {
    Safetensors contents;
    contents.tensors[name] = std::move(view);
    const absl::Status status = SerializeSafetensors(contents).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return std::string(status.message());
  };
  const TensorView good = MakeTensorView<float>(ElementType::kFloat32, {1}, {1.0f});
  TensorView on_device = good;
  on_device.device = 0;
  EXPECT_THAT(refused("w", on_device), HasSubstr("'w' is not in host memory"));
  TensorView wrong_shape = good;
  wrong_shape.dims = {2};
  EXPECT_THAT(refused("w", wrong_shape), HasSubstr("'w' has 4 bytes, but its shape needs 8"));
  EXPECT_THAT(refused("__metadata__", good), HasSubstr("reserved"));
  EXPECT_THAT(refused("", good), HasSubstr("reserved"));
  EXPECT_THAT(refused("\xff", good), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace distill
