#include "distillation/labels/section.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr uint64_t kNoSize = std::numeric_limits<uint64_t>::max();

struct Answer {
  v1::Section section;
  std::string payload;
};

std::vector<float> RandomValues(uint64_t seed, uint64_t stream, size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(40 * UniformReal(seed, stream, i) - 20);
  }
  return values;
}

Answer MakeAnswer(const std::string& codec_name, int64_t rows, int64_t classes,
                  std::vector<float> values, size_t offset, size_t tail) {
  const LabelCodec& codec = **FindCodec(codec_name);
  const auto encoded =
      codec.Encode(MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values)));
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto section = SectionFor("logits", codec, rows, classes, *encoded, offset);
  EXPECT_TRUE(section.ok()) << section.status();
  return {*section, std::string(offset, 'a') + encoded->bytes + std::string(tail, 'z')};
}

absl::StatusOr<TensorView> Decode(const Answer& answer) {
  return DecodeSection(answer.section, std::as_bytes(std::span(answer.payload)));
}

TEST(Section, LabelsComeBackFromAnyPlaceInAnAnswer) {
  const uint64_t seed = TestSeed();
  for (const std::string& codec : DenseCodecNames()) {
    for (uint64_t trial = 0; trial < 200; ++trial) {
      const int64_t rows = static_cast<int64_t>(UniformBelow(seed, trial, 1u << 20, 9));
      const int64_t classes = 1 + static_cast<int64_t>(UniformBelow(seed, trial, 1u << 21, 40));
      const auto values = RandomValues(seed, trial, static_cast<size_t>(rows * classes));
      const auto answer = MakeAnswer(codec, rows, classes, values,
                                     UniformBelow(seed, trial, 1u << 22, 33), trial % 3);
      const auto labels = Decode(answer);
      ASSERT_TRUE(labels.ok()) << labels.status();
      ASSERT_EQ(labels->dims, (std::vector<int64_t>{rows, classes}));
      for (size_t i = 0; i < values.size(); ++i) {
        const float error = std::abs(labels->as<float>()[i] - values[i]);
        // The coarsest: eight bits of a distance, or of 16 nats that it may exceed.
        const float bound = codec == "dense_fp32"   ? 0.0f
                            : codec == "dense_fp16" ? 0x1p-11f * 40 + 1e-5f
                            : codec == "dense_bf16" ? 0x1p-8f * 40 + 1e-5f
                                                    : 40.0f - 16.0f;
        ASSERT_LE(error, bound) << codec;
      }
    }
  }
}

// An answer in memory of its own, with what keeps it alive.
struct Received {
  v1::Section section;
  std::shared_ptr<const std::vector<float>> memory;
  std::span<const std::byte> payload;
};

Received Receive(const Answer& answer) {
  auto memory = std::make_shared<std::vector<float>>(answer.payload.size() / sizeof(float) + 1);
  std::memcpy(memory->data(), answer.payload.data(), answer.payload.size());
  return {answer.section, memory,
          std::as_bytes(std::span<const float>(*memory)).first(answer.payload.size())};
}

TEST(Section, FloatsThatLieAsTheyMustAreSharedWithTheirOwner) {
  const std::vector<float> values = {1, 2, 3, -4, 5, 6};
  Received received = Receive(MakeAnswer("dense_fp32", 2, 3, values, 8, 3));
  const auto labels = DecodeSection(received.section, received.payload, received.memory);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(labels->dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(labels->bytes.data(), received.payload.data() + 8);
  EXPECT_EQ(labels->bytes.size(), 24u);
  received.memory = nullptr;
  EXPECT_THAT(labels->as<float>(), ElementsAreArray(values)) << "they keep the answer alive";
}

TEST(Section, LabelsThatCannotBeSharedAreInMemoryOfTheirOwn) {
  const std::vector<float> values = {1, 2, 3, -4, 5, 6};
  const auto shared = [](const Received& received, const absl::StatusOr<TensorView>& labels) {
    EXPECT_TRUE(labels.ok()) << labels.status();
    EXPECT_THAT(labels->as<float>(), ElementsAreArray({1, 2, 3, -4, 5, 6}));
    return labels->owner == received.memory;
  };
  for (const size_t offset : {1u, 2u, 3u, 5u}) {
    const Received odd = Receive(MakeAnswer("dense_fp32", 2, 3, values, offset, 0));
    EXPECT_FALSE(shared(odd, DecodeSection(odd.section, odd.payload, odd.memory))) << offset;
  }
  const Received halves = Receive(MakeAnswer("dense_fp16", 2, 3, values, 0, 0));
  EXPECT_FALSE(shared(halves, DecodeSection(halves.section, halves.payload, halves.memory)));
  const Received unowned = Receive(MakeAnswer("dense_fp32", 2, 3, values, 0, 0));
  const auto labels = DecodeSection(unowned.section, unowned.payload);
  EXPECT_FALSE(shared(unowned, labels));
  EXPECT_NE(labels->bytes.data(), unowned.payload.data());
}

TEST(Section, SharedLabelsAreCheckedAsCopiedOnesAre) {
  const Answer good = MakeAnswer("dense_fp32", 2, 3, {1, 2, 3, -4, 5, 6}, 4, 0);
  const auto code = [](const Answer& answer) {
    const Received received = Receive(answer);
    return DecodeSection(received.section, received.payload, received.memory).status().code();
  };
  ASSERT_EQ(code(good), absl::StatusCode::kOk);
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (size_t place = 0; place < 6; ++place) {
      Answer bad = good;
      std::memcpy(bad.payload.data() + 4 + place * sizeof(value), &value, sizeof(value));
      EXPECT_EQ(code(bad), absl::StatusCode::kDataLoss) << place;
    }
  }
  Answer bad = good;
  bad.section.set_parameters("p");
  EXPECT_EQ(code(bad), absl::StatusCode::kDataLoss);
  bad = good;
  bad.section.set_offset(8);
  EXPECT_EQ(code(bad), absl::StatusCode::kDataLoss);
  bad = good;
  bad.section.set_dims(0, 3);
  EXPECT_EQ(code(bad), absl::StatusCode::kDataLoss);
}

TEST(Section, EveryLyingFieldIsRefusedWithTheOutputsName) {
  const Answer good = MakeAnswer("dense_fp16", 3, 4, RandomValues(1, 2, 12), 5, 2);
  ASSERT_TRUE(Decode(good).ok());
  const auto refused = [&](auto change) {
    Answer bad = good;
    change(bad.section);
    const auto labels = Decode(bad);
    EXPECT_EQ(labels.status().code(), absl::StatusCode::kDataLoss)
        << bad.section.ShortDebugString();
    EXPECT_THAT(std::string(labels.status().message()), HasSubstr("section 'logits'"));
  };
  refused([](v1::Section& s) { s.set_dtype(v1::FLOAT16); });
  refused([](v1::Section& s) { s.clear_dims(); });
  refused([](v1::Section& s) { s.add_dims(1); });
  refused([](v1::Section& s) { s.set_dims(0, -3); });
  refused([](v1::Section& s) { s.set_dims(1, 0); });
  refused([](v1::Section& s) { s.set_dims(0, 4); });
  refused([](v1::Section& s) { s.set_dims(0, int64_t{1} << 62); });
  refused([](v1::Section& s) { s.set_length(s.length() - 1); });
  refused([](v1::Section& s) { s.set_length(kNoSize); });
  refused([](v1::Section& s) { s.set_offset(8); });
  refused([](v1::Section& s) { s.set_offset(kNoSize); });
  refused([](v1::Section& s) { s.set_offset(kNoSize - s.length() + 1); });
  refused([](v1::Section& s) { s.set_parameters("p"); });
  refused([](v1::Section& s) { s.set_codec("dense_fp32"); });
}

TEST(Section, AShapeFarBeyondThePayloadIsRefusedBeforeAllocation) {
  Answer answer = MakeAnswer("dense_fp32", 1, 1, {1}, 0, 0);
  // 2^60 bytes, consistent in itself: an allocation would throw.
  answer.section.set_dims(0, int64_t{1} << 58);
  answer.section.set_length(uint64_t{1} << 60);
  EXPECT_EQ(Decode(answer).status().code(), absl::StatusCode::kDataLoss);
}

TEST(Section, SparseLabelsComeBackAsSuch) {
  const auto codec = *FindCodec("top_k/2");
  const auto encoded =
      codec->Encode(MakeTensorView<float>(ElementType::kFloat32, {1, 4}, {1, 7, 5, 2}));
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  Answer answer;
  answer.section = *SectionFor("logits", *codec, 1, 4, *encoded, 3);
  answer.payload = "abc" + encoded->bytes;
  const auto bytes = std::as_bytes(std::span(answer.payload));
  const auto labels = DecodeSparseSection(answer.section, bytes, {});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(labels->ids, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(labels->values, (std::vector<float>{0, -2}));
  answer.section.set_length(1);
  const auto bad = DecodeSparseSection(answer.section, bytes, {});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("section 'logits'"));
}

TEST(Section, SparseLabelsAreNotDecodedAsDenseWhateverTheirShapeSays) {
  // 5 MB that would take 2^51 bytes as floats: the attempt alone would throw.
  const int64_t rows = 1 << 18, classes = int64_t{1} << 31;
  const auto codec = *FindCodec("top_k/1/2");
  Answer answer;
  answer.payload.resize(*codec->EncodedBytes(rows, classes));
  answer.section =
      *SectionFor("logits", *codec, rows, classes, {answer.payload, std::string(16, 0)}, 0);
  EXPECT_EQ(Decode(answer).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Section, AnUnknownCodecIsNamed) {
  Answer answer = MakeAnswer("dense_fp32", 1, 1, {1}, 0, 0);
  answer.section.set_codec("topk");
  EXPECT_EQ(Decode(answer).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Section, RowSplitsMustStartAtZeroNotFallAndEndAtTheRows) {
  const Answer good = MakeAnswer("dense_fp32", 3, 1, {1, 2, 3}, 0, 0);
  const auto with = [&](std::vector<uint64_t> splits) {
    Answer answer = good;
    for (const uint64_t split : splits) answer.section.add_row_splits(split);
    return Decode(answer).status().code();
  };
  EXPECT_EQ(with({0, 1, 1, 3}), absl::StatusCode::kOk);
  EXPECT_EQ(with({0, 3}), absl::StatusCode::kOk);
  EXPECT_EQ(with({1, 3}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(with({0, 2, 1, 3}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(with({0, 2}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(with({0, 4}), absl::StatusCode::kDataLoss);
  EXPECT_EQ(with({0}), absl::StatusCode::kDataLoss);
}

TEST(Section, RandomDamageNeverEndsInAnythingButAStatusOrWholeLabels) {
  const uint64_t seed = TestSeed();
  const std::vector<std::string> names = DenseCodecNames();
  for (uint64_t trial = 0; trial < 3000; ++trial) {
    Answer answer =
        MakeAnswer(names[trial % names.size()], 3, 4, RandomValues(seed, trial, 12), 3, 3);
    std::string wire = answer.section.SerializeAsString();
    for (int i = 0; i < 2; ++i) {
      wire[UniformBelow(seed, trial, 100 + i, wire.size())] ^=
          static_cast<char>(1 + UniformBelow(seed, trial, 200 + i, 255));
      answer.payload[UniformBelow(seed, trial, 300 + i, answer.payload.size())] ^=
          static_cast<char>(1 + UniformBelow(seed, trial, 400 + i, 255));
    }
    if (!answer.section.ParseFromString(wire)) continue;
    const auto labels = Decode(answer);
    if (!labels.ok()) continue;
    for (const float value : labels->as<float>()) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(Section, BytesThatDoNotFillTheShapeMakeNoSection) {
  const LabelCodec& codec = **FindCodec("dense_fp32");
  EXPECT_EQ(SectionFor("logits", codec, 2, 2, {std::string(15, ' '), ""}, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SectionFor("logits", codec, 2, 2, {std::string(16, ' '), ""}, kNoSize).status().code(),
            absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace distill
