#include "distillation/labels/codec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "distillation/labels/dense_codecs.h"
#include "distillation/labels/head_tail_codec.h"
#include "distillation/labels/hidden_codecs.h"
#include "distillation/labels/sampled_codec.h"

namespace distill {
namespace {

using CodecPointer = std::shared_ptr<const LabelCodec>;

// The ranges are 16 nats times 1, 2, 4 and 8, the temperatures that they suit; other ones are
// made when asked for. Never destroyed, so that threads may outlive main.
const std::vector<CodecPointer>& DenseCodecs() {
  static const auto* const codecs =
      new std::vector<CodecPointer>{MakeDenseFp32(),
                                    MakeDenseFp16(),
                                    MakeDenseBf16(),
                                    MakeLogProbU8("log_prob_u8", kDefaultLogProbRange),
                                    MakeLogProbU8("log_prob_u8/32", 32),
                                    MakeLogProbU8("log_prob_u8/64", 64),
                                    MakeLogProbU8("log_prob_u8/128", 128)};
  return *codecs;
}

const std::vector<CodecPointer>& HiddenCodecs() {
  static const auto* const codecs = new std::vector<CodecPointer>{
      MakeHidden("hidden_fp32", MakeDenseFp32()), MakeHidden("hidden_fp16", MakeDenseFp16()),
      MakeHidden("hidden_bf16", MakeDenseBf16())};
  return *codecs;
}

// Those that take no numbers, or null.
CodecPointer FindPlain(std::string_view name) {
  for (const auto* const codecs : {&DenseCodecs(), &HiddenCodecs()}) {
    for (const CodecPointer& codec : *codecs) {
      if (codec->name() == name) return codec;
    }
  }
  return nullptr;
}

std::vector<std::string> PlainNames() {
  std::vector<std::string> names = DenseCodecNames();
  for (const CodecPointer& codec : HiddenCodecs()) names.emplace_back(codec->name());
  return names;
}

absl::Status BadName(std::string_view name, std::string_view problem) {
  return absl::UnimplementedError(
      absl::StrCat("label codec '", std::string(name.substr(0, 64)), "' ", std::string(problem),
                   "; use one of: ", absl::StrJoin(CodecNames(), ", ")));
}

// A whole number without sign and leading zeros, or nothing.
std::optional<int> WholeNumber(std::string_view text) {
  int value = 0;
  const char* const end = text.data() + text.size();
  if (text.empty() || text[0] < '1' || text[0] > '9') return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// The numbers of a name family[/number[/number]] from its first slash on. `bounds` are the
// largest values of the numbers that the family takes.
absl::StatusOr<std::vector<int>> NumbersOf(std::string_view name, std::string_view rest,
                                           std::span<const int> bounds) {
  std::vector<int> numbers;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // The slash.
    const std::string_view text = rest.substr(0, rest.find('/'));
    rest.remove_prefix(text.size());
    const std::optional<int> number = WholeNumber(text);
    if (numbers.size() == bounds.size()) return BadName(name, "has too many numbers");
    if (const int bound = bounds[numbers.size()]; !number || *number > bound) {
      return BadName(name, absl::StrCat("has '", std::string(text),
                                        "' where a whole number from 1 to ", bound, " belongs"));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

}  // namespace

absl::StatusOr<CodecPointer> FindCodec(std::string_view name, const CodecOptions& options) {
  if (CodecPointer codec = FindPlain(name); codec != nullptr) return codec;
  const std::string_view family = name.substr(0, name.find('/'));
  const std::string_view rest = name.substr(family.size());
  if (family == "log_prob_u8") {
    ASSIGN_OR_RETURN(const auto numbers, NumbersOf(name, rest, std::array{kMaxLogProbRange}));
    return MakeLogProbU8(std::string(name), numbers[0]);
  }
  if (family == "top_k" || family == "scores_at_ids") {
    ASSIGN_OR_RETURN(const auto numbers,
                     NumbersOf(name, rest, std::array{kMaxHead, kMaxTailNodes}));
    HeadTailOptions made;
    made.min_temperature = options.min_temperature;
    made.max_temperature = options.max_temperature;
    if (numbers.size() > 0) made.head = numbers[0];
    if (numbers.size() > 1) made.tail_nodes = numbers[1];
    if (family == "top_k") return MakeTopK(std::string(name), made);
    // The student chose how many, so there is no default.
    if (numbers.empty()) return BadName(name, "needs the number of ids: scores_at_ids/n");
    return MakeScoresAtIds(std::string(name), made);
  }
  if (family == "sampled") {
    ASSIGN_OR_RETURN(const auto numbers, NumbersOf(name, rest, std::array{kMaxDraws}));
    return MakeSampled(std::string(name), numbers.empty() ? kDefaultDraws : numbers[0],
                       options.seed);
  }
  return BadName(name, "is unknown");
}

std::vector<std::string> DenseCodecNames() {
  std::vector<std::string> names;
  for (const CodecPointer& codec : DenseCodecs()) names.emplace_back(codec->name());
  return names;
}

std::vector<std::string> CodecNames() {
  std::vector<std::string> names = PlainNames();
  names.insert(names.end(), {"top_k", "scores_at_ids", "sampled"});
  return names;
}

bool IsHiddenCodec(std::string_view name) {
  const CodecPointer codec = FindPlain(name);
  return codec != nullptr && codec->layout() == LabelLayout::kHidden;
}

std::vector<std::string> ServedCodecNames() {
  std::vector<std::string> names = PlainNames();
  names.insert(names.end(), {"top_k", "sampled"});
  return names;
}

bool IsSupportedCodec(std::string_view name, std::span<const std::string> supported) {
  const auto has = [&](std::string_view wanted) {
    return std::find(supported.begin(), supported.end(), wanted) != supported.end();
  };
  return has(name) || (has(name.substr(0, name.find('/'))) && FindCodec(name).ok());
}

absl::StatusOr<CodecPointer> FindCodecForRun(std::string_view name, double low, double high) {
  ASSIGN_OR_RETURN(CodecPointer codec, FindCodec(name));
  if (codec->layout() != LabelLayout::kSparse) return codec;
  // Draws are of the distribution at 1. Written so that a NaN fails too.
  if (name.starts_with("sampled") && !(low == 1 && high == 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("label codec ", std::string(name), " is for a temperature of 1, not for ", low,
                     " to ", high, "; take top_k, or set schedules.temperature to 1"));
  }
  CodecOptions options;
  options.min_temperature = low;
  options.max_temperature = high;
  return FindCodec(name, options);
}

absl::StatusOr<std::string> Negotiate(std::span<const std::string> preferences,
                                      std::span<const std::string> supported) {
  for (const std::string& name : preferences) {
    if (IsSupportedCodec(name, supported)) return name;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "no common label codec: asked for [", absl::StrJoin(preferences, ", "), "], supported are [",
      absl::StrJoin(supported, ", "), "]; set labels.codecs of the run to a supported one"));
}

}  // namespace distill
