#include "distillation/labels/labels_fuzz.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/synthetic_logits.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

int RunTarget(const std::string& input) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

// In the order of labels_fuzz.cc.
constexpr const char* kCodecs[] = {"dense_fp32", "dense_fp16", "dense_bf16",  "log_prob_u8",
                                   "top_k",      "top_k/3/1",  "top_k/2/4",   "scores_at_ids/3",
                                   "sampled",    "sampled/3",  "hidden_fp32", "hidden_fp16"};

// Labels of random logits as the target reads them.
std::string Input(uint64_t seed, size_t codec, int64_t rows, int64_t classes) {
  CodecOptions options;
  // One node serves one temperature.
  if (std::string(kCodecs[codec]) == "top_k/3/1") options.max_temperature = 1;
  const auto found = FindCodec(kCodecs[codec], options);
  std::vector<float> values;
  std::vector<int64_t> ids;
  std::vector<uint64_t> keys;
  for (int64_t row = 0; row < rows; ++row) {
    const auto logits = NormalLogits(seed, static_cast<uint64_t>(row), classes, 0, 4);
    values.insert(values.end(), logits.begin(), logits.end());
    ids.insert(ids.end(), {0, classes / 2, classes - 1});
    keys.push_back(static_cast<uint64_t>(row));
  }
  const auto encoded =
      (*found)->Encode(MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values)),
                       {.ids = ids, .keys = keys});
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  std::string input(7, '\0');
  input[0] = static_cast<char>(codec);
  input[1] = static_cast<char>(rows);
  std::memcpy(input.data() + 2, &classes, 4);
  input[6] = static_cast<char>(encoded->parameters.size());
  return input + encoded->parameters + encoded->bytes;
}

// A byte changed, removed or doubled, a bit flipped, or a number put in that is an edge.
void Mutate(uint64_t seed, uint64_t stream, std::string& input) {
  input.resize(std::max<size_t>(input.size(), 8));
  const uint64_t kind = UniformBelow(seed, stream, 0, 6);
  const size_t at = UniformBelow(seed, stream, 1, input.size());
  const char byte = static_cast<char>(UniformBelow(seed, stream, 2, 256));
  constexpr float kEdges[] = {0,
                              -1,
                              1e30f,
                              -1e-42f,
                              std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()};
  const float edge = kEdges[UniformBelow(seed, stream, 3, std::size(kEdges))];
  if (kind == 0) input[at] = byte;
  if (kind == 1) input[at] = static_cast<char>(input[at] ^ (1 << (byte & 7)));
  if (kind == 2) input.erase(at, 1);
  if (kind == 3) input.insert(at, 1, byte);
  if (kind == 4 && at + sizeof(edge) <= input.size()) {
    std::memcpy(input.data() + at, &edge, sizeof(edge));
  }
  if (kind == 5) input[at % 7] = byte;
}

TEST(LabelsFuzz, MutatedLabelsOfEveryCodecAreDecodedOrRefused) {
  const uint64_t seed = TestSeed();
  for (size_t codec = 0; codec < std::size(kCodecs); ++codec) {
    for (uint64_t trial = 0; trial < 400; ++trial) {
      const uint64_t stream = codec * 10000 + trial;
      std::string input = Input(seed, codec, static_cast<int64_t>(trial % 4),
                                3 + static_cast<int64_t>(UniformBelow(seed, stream, 9, 30)));
      ASSERT_EQ(RunTarget(input), 0);
      for (uint64_t step = 0; step < 20; ++step) {
        Mutate(seed, 1000000 + stream * 20 + step, input);
        ASSERT_EQ(RunTarget(input), 0);
      }
    }
  }
}

TEST(LabelsFuzz, ArbitraryBytesAreDecodedOrRefused) {
  const uint64_t seed = TestSeed();
  for (uint64_t trial = 0; trial < 20000; ++trial) {
    std::string input(UniformBelow(seed, trial, 0, 300), '\0');
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<char>(UniformBelow(seed, trial, 1 + i, 256));
    }
    // Mostly small shapes, whose sizes have a chance to fit.
    if (input.size() > 7 && trial % 4 != 0) {
      std::memset(input.data() + 3, 0, 3);
      input[1] = static_cast<char>(input[1] & 3);
      input[6] = static_cast<char>(input[6] & 16);
    }
    ASSERT_EQ(RunTarget(input), 0);
  }
}

}  // namespace
}  // namespace distill
