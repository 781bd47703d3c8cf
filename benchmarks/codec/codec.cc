// What soft labels cost to encode and to decode, by codec, and what share of a student's step
// the decoding is.
#include "distillation/labels/codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/codec/logits_source.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/student.h"
#include "common/bytes/aligned_bytes.h"
#include "common/clock/clock.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/section.h"
#include "distillation/labels/soft_labels.h"

namespace distill {
namespace {

constexpr int64_t kBatch = 128;
constexpr double kStepSeconds = 1e-3;

// The labels of a batch in one codec, as an answer that has arrived.
struct Answer {
  std::shared_ptr<const LabelCodec> codec;
  TensorView logits;
  std::vector<uint64_t> keys;
  v1::Section section;
  std::shared_ptr<const AlignedBytes> payload;
  // Of hidden states, for which classes make no difference.
  std::shared_ptr<const LabelHead> head;
};

struct Set {
  std::string name;
  std::string generator;
  int64_t classes;
  std::vector<std::string> codecs;
};

absl::StatusOr<std::unique_ptr<Answer>> Encode(const TensorView& logits, const std::string& name) {
  auto answer = std::make_unique<Answer>();
  answer->logits = logits;
  answer->keys.resize(static_cast<size_t>(logits.dims[0]));
  for (size_t i = 0; i < answer->keys.size(); ++i) answer->keys[i] = i;
  CodecOptions options;
  options.max_temperature = 8;
  ASSIGN_OR_RETURN(answer->codec, FindCodec(name, options));
  ASSIGN_OR_RETURN(EncodedLabels encoded,
                   answer->codec->Encode(logits, {.ids = {}, .keys = answer->keys}));
  ASSIGN_OR_RETURN(answer->section, SectionFor("logits", *answer->codec, logits.dims[0],
                                               logits.dims[1], encoded, 0));
  auto payload = std::make_shared<AlignedBytes>(encoded.bytes.size());
  std::copy(encoded.bytes.begin(), encoded.bytes.end(), payload->data());
  answer->payload = std::move(payload);
  if (answer->codec->layout() == LabelLayout::kHidden) {
    const int64_t features = logits.dims[1];
    answer->head = std::make_shared<const LabelHead>(
        LabelHead{MakeTensorView(ElementType::kFloat32, {1, features},
                                 std::vector<float>(static_cast<size_t>(features))),
                  MakeTensorView(ElementType::kFloat32, {1}, std::vector<float>(1))});
  }
  return answer;
}

// As the student's label client does it, memory included. Units are batches.
absl::Status Decode(const Answer& answer, int64_t batches) {
  const auto bytes = std::as_bytes(std::span(answer.payload->view()));
  for (int64_t i = 0; i < batches; ++i) {
    RETURN_IF_ERROR(DecodeSoftLabels(answer.section, bytes, answer.head, answer.payload).status());
  }
  return absl::OkStatus();
}

absl::Status EncodeAgain(const Answer& answer, int64_t batches) {
  for (int64_t i = 0; i < batches; ++i) {
    RETURN_IF_ERROR(answer.codec->Encode(answer.logits, {.ids = {}, .keys = answer.keys}).status());
  }
  return absl::OkStatus();
}

// What no dense codec can be faster than: floats of `bytes` bytes are written.
absl::Status WriteFloats(size_t bytes, int64_t batches) {
  for (int64_t i = 0; i < batches; ++i) {
    AlignedBytes memory(bytes);
    std::memset(memory.data(), 0, bytes);
    asm volatile("" : : "r"(memory.data()) : "memory");  // somebody reads it
  }
  return absl::OkStatus();
}

// values[name] and samples[name]: the share of `step_seconds` that the labels of so many batches
// take, round by round. Processor time: decoding waits for nothing, so that on a machine that
// others use it is what a quiet one would show.
void AddShare(BenchReport& report, const std::string& name, const Series& decode, double batches,
              const std::vector<double>& step_seconds) {
  std::vector<double> shares;
  for (size_t i = 0; i < step_seconds.size(); ++i) {
    shares.push_back(batches * decode.cpu_seconds_per_thousand[i] / 1000 / step_seconds[i]);
  }
  report.values[name] = Median(shares);
  report.samples[name] = std::move(shares);
}

std::string InName(std::string codec) {
  for (char& c : codec) c = c == '/' ? '_' : c;
  return codec;
}

std::vector<Set> Sets() {
  return {{"c10", "normal", 10, {"dense_fp32", "dense_fp16", "log_prob_u8", "top_k/5"}},
          {"c1000",
           "normal",
           1000,
           {"dense_fp32", "dense_fp16", "dense_bf16", "log_prob_u8/32", "top_k", "sampled"}},
          {"c128k", "language_model", 128000, {"top_k", "top_k/37", "sampled"}},
          // Features of a hidden state.
          {"h512", "normal", 512, {"hidden_fp16"}}};
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  PosixFileSystem files;
  // There are some thirty ways.
  const absl::Duration turn = options.turn / 10;
  std::vector<std::unique_ptr<Answer>> answers;
  std::vector<std::string> names;
  std::vector<Variant> variants;
  BenchReport report;
  report.name = "codec";
  for (const Set& set : Sets()) {
    LogitsSource source;
    source.generator = set.generator;
    source.classes = set.classes;
    source.rows = kBatch;
    ASSIGN_OR_RETURN(const TensorView logits, ReadLogits(files, source));
    for (const std::string& codec : set.codecs) {
      ASSIGN_OR_RETURN(answers.emplace_back(), Encode(logits, codec));
      names.push_back(absl::StrCat(InName(codec), "_", set.name));
      report.values[absl::StrCat(names.back(), "_bytes")] =
          static_cast<double>(answers.back()->payload->size()) / kBatch;
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const Answer* const answer = answers[i].get();
    variants.push_back({names[i] + "_decode",
                        Sized([answer](int64_t n) { return Decode(*answer, n); }, turn, &clock)});
    variants.push_back(
        {names[i] + "_encode",
         Sized([answer](int64_t n) { return EncodeAgain(*answer, n); }, turn, &clock)});
  }
  ASSIGN_OR_RETURN(auto student, BenchStudent::Create(&clock));
  const size_t elements = static_cast<size_t>(student->rows() * student->classes());
  std::vector<float> values(elements);
  for (size_t i = 0; i < elements; ++i) values[i] = static_cast<float>(i % 97) * 0.25f;
  const TensorView memory = MakeTensorView(
      ElementType::kFloat32, {student->rows(), student->classes()}, std::move(values));
  variants.push_back(
      {"main_job_step",
       Sized([&](int64_t steps) { return student->Train(steps, [&](int64_t) { return memory; }); },
             turn, &clock)});
  constexpr size_t kFloats = kBatch * 1000 * sizeof(float);
  variants.push_back(
      {"floats_c1000", Sized([](int64_t n) { return WriteFloats(kFloats, n); }, turn, &clock)});
  variants.push_back({"decode_again", variants[0].run});
  ASSIGN_OR_RETURN(const std::vector<Series> series,
                   MeasureInterleaved(variants, options.rounds, &clock, UsageOfThisProcess));

  const Series& step = series[series.size() - 3];
  std::vector<double> of_a_millisecond(step.rate.size(), kStepSeconds), of_main_job;
  for (const double seconds : step.cpu_seconds_per_thousand) of_main_job.push_back(seconds / 1000);
  for (size_t i = 0; i < names.size(); ++i) {
    if (answers[i]->logits.dims[1] == 10) {
      AddShare(report, names[i] + "_of_main_job", series[2 * i],
               static_cast<double>(student->rows()) / kBatch, of_main_job);
    } else {
      AddShare(report, names[i] + "_of_1ms", series[2 * i], 1, of_a_millisecond);
    }
  }
  AddShare(report, "floats_c1000_of_1ms", series[series.size() - 2], 1, of_a_millisecond);
  report.Add("", series);
  report.AddNoise(series[0], series.back());
  report.limits =
      "One thread, and answers that lie in the processor's cache as far as they fit. Rates are of\n"
      "batches of 128 labels, of main_job_step of steps of 256 examples on one rank.";
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(argc, argv, "What soft labels cost to encode and to decode.",
                            distill::Run);
}
