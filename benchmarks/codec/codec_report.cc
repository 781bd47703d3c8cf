#include "benchmarks/codec/codec_report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/divergence.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/sparse_labels.h"

namespace distill {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMaxTemperature = 8;
constexpr int kWorstOf = 9;

// Labels of all rows, in the form that the codec gives.
struct Decoded {
  std::vector<float> dense;
  SparseLabels sparse;
};

// Work to be timed, and its median.
absl::StatusOr<double> MedianSeconds(Clock& clock, const std::function<absl::Status()>& work) {
  std::array<double, 5> seconds;
  for (double& run : seconds) {
    const absl::Duration start = clock.MonotonicNow();
    RETURN_IF_ERROR(work());
    run = absl::ToDoubleSeconds(clock.MonotonicNow() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[2];
}

// Measures one codec row by row.
class Measurement {
 public:
  Measurement(const TensorView& logits, std::shared_ptr<const LabelCodec> codec)
      : logits_(logits), codec_(std::move(codec)) {}

  absl::StatusOr<CodecFigures> Run(Clock& clock);

 private:
  absl::Status Code(Clock& clock, CodecFigures& figures);
  absl::Status Decode(const EncodedLabels& encoded, const RowContext& context);
  std::vector<int64_t> ChosenIds() const;
  size_t rows() const { return static_cast<size_t>(logits_.dims[0]); }
  size_t classes() const { return static_cast<size_t>(logits_.dims[1]); }
  std::span<const float> Row(size_t row) const {
    return logits_.as<float>().subspan(row * classes(), classes());
  }
  std::span<const int64_t> Ids(size_t row) const {
    const size_t width = static_cast<size_t>(decoded_.sparse.width);
    return std::span(decoded_.sparse.ids).subspan(row * width, width);
  }
  // log probabilities of all classes as the label gives them.
  absl::StatusOr<std::vector<double>> LabelLogProbs(size_t row, double temperature) const;
  void AddDraws(size_t row, CodecFigures& figures) const;
  absl::Status AddDense(size_t row, CodecFigures& figures) const;
  absl::Status AddScores(size_t row, CodecFigures& figures) const;

  const TensorView& logits_;
  const std::shared_ptr<const LabelCodec> codec_;
  Decoded decoded_;
};

std::vector<int64_t> Measurement::ChosenIds() const {
  const std::string name(codec_->name());
  if (name.rfind("scores_at_ids/", 0) != 0) return {};
  const size_t count = static_cast<size_t>(std::stoul(name.substr(name.find('/') + 1)));
  std::vector<int64_t> ids;
  for (size_t r = 0; r < rows(); ++r) {
    for (size_t i = 0; i < count; ++i) ids.push_back(static_cast<int64_t>(i * classes() / count));
  }
  return ids;
}

// Into memory that is there already, as a student has it.
absl::Status Measurement::Decode(const EncodedLabels& encoded, const RowContext& context) {
  const auto bytes = std::as_bytes(std::span(encoded.bytes));
  if (codec_->layout() == LabelLayout::kDense) {
    decoded_.dense.resize(rows() * classes());
    return codec_->Decode(logits_.dims[0], logits_.dims[1], encoded.parameters, bytes,
                          decoded_.dense);
  }
  ASSIGN_OR_RETURN(decoded_.sparse, codec_->DecodeSparse(logits_.dims[0], logits_.dims[1],
                                                         encoded.parameters, bytes, context));
  return absl::OkStatus();
}

absl::Status Measurement::Code(Clock& clock, CodecFigures& figures) {
  const std::vector<int64_t> ids = ChosenIds();
  std::vector<uint64_t> keys(rows());
  for (size_t r = 0; r < rows(); ++r) keys[r] = r;
  const RowContext context = {.ids = ids, .keys = keys};
  EncodedLabels encoded;
  ASSIGN_OR_RETURN(figures.encode_seconds, MedianSeconds(clock, [&]() -> absl::Status {
                     ASSIGN_OR_RETURN(encoded, codec_->Encode(logits_, context));
                     return absl::OkStatus();
                   }));
  ASSIGN_OR_RETURN(figures.decode_seconds,
                   MedianSeconds(clock, [&] { return Decode(encoded, context); }));
  const double count = static_cast<double>(rows());
  figures.encode_seconds /= count;
  figures.decode_seconds /= count;
  figures.bytes = static_cast<double>(encoded.bytes.size()) / count;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Measurement::LabelLogProbs(size_t row,
                                                               double temperature) const {
  if (codec_->layout() == LabelLayout::kDense) {
    return LogSoftmax(std::span(decoded_.dense).subspan(row * classes(), classes()), temperature);
  }
  ASSIGN_OR_RETURN(const std::vector<double> named,
                   HeadAndTailLogProbs(decoded_.sparse, static_cast<int64_t>(row), temperature));
  const double others = static_cast<double>(classes() - Ids(row).size());
  std::vector<double> log_q(classes(), others > 0 ? named.back() - std::log(others) : 0.0);
  for (size_t i = 0; i < Ids(row).size(); ++i) log_q[static_cast<size_t>(Ids(row)[i])] = named[i];
  return log_q;
}

double L1(std::span<const double> log_p, std::span<const double> log_q) {
  double sum = 0;
  for (size_t c = 0; c < log_p.size(); ++c)
    sum += std::abs(std::exp(log_q[c]) - std::exp(log_p[c]));
  return sum;
}

void Measurement::AddDraws(size_t row, CodecFigures& figures) const {
  std::vector<double> target(classes());
  const size_t width = static_cast<size_t>(decoded_.sparse.width);
  for (size_t i = 0; i < width; ++i) {
    target[static_cast<size_t>(Ids(row)[i])] += decoded_.sparse.weights[row * width + i];
  }
  const double count = static_cast<double>(rows());
  for (size_t t = 0; t < kReportTemperatures.size(); ++t) {
    const auto log_p = LogSoftmax(Row(row), kReportTemperatures[t]);
    for (size_t c = 0; c < classes(); ++c) {
      const double p = std::exp(log_p[c]);
      if (target[c] == 0) figures.tail_mass[t] += p / count;
      if (t == 0) figures.l1 += std::abs(target[c] - p) / count;
    }
    figures.full_kl[t] = kNone;
  }
  figures.worst_kl = kNone;
  figures.worst_probability = kNone;
}

// What a label of scores or of all classes loses over all classes.
absl::Status Measurement::AddDense(size_t row, CodecFigures& figures) const {
  const double count = static_cast<double>(rows());
  for (size_t t = 0; t < kReportTemperatures.size(); ++t) {
    const auto log_p = LogSoftmax(Row(row), kReportTemperatures[t]);
    ASSIGN_OR_RETURN(const auto log_q, LabelLogProbs(row, kReportTemperatures[t]));
    figures.full_kl[t] += KlDivergence(log_p, log_q) / count;
    if (t == 0) figures.l1 += L1(log_p, log_q) / count;
  }
  return absl::OkStatus();
}

// And over the classes that it names, with one bucket for the rest.
absl::Status Measurement::AddScores(size_t row, CodecFigures& figures) const {
  const bool dense = codec_->layout() == LabelLayout::kDense;
  for (size_t t = 0; !dense && t < kReportTemperatures.size(); ++t) {
    const auto named = HeadAndTail(Row(row), Ids(row), kReportTemperatures[t]);
    figures.tail_mass[t] += std::exp(named.back()) / static_cast<double>(rows());
  }
  for (int i = 0; i < kWorstOf; ++i) {
    const double t = std::min(kMaxTemperature,
                              std::pow(kMaxTemperature, static_cast<double>(i) / (kWorstOf - 1)));
    std::vector<double> exact, label;
    if (dense) {
      exact = LogSoftmax(Row(row), t);
      ASSIGN_OR_RETURN(label, LabelLogProbs(row, t));
    } else {
      exact = HeadAndTail(Row(row), Ids(row), t);
      ASSIGN_OR_RETURN(label, HeadAndTailLogProbs(decoded_.sparse, static_cast<int64_t>(row), t));
    }
    figures.worst_kl = std::max(figures.worst_kl, KlDivergence(exact, label));
    for (size_t c = 0; c < exact.size(); ++c) {
      figures.worst_probability =
          std::max(figures.worst_probability, std::abs(std::exp(label[c]) - std::exp(exact[c])));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CodecFigures> Measurement::Run(Clock& clock) {
  CodecFigures figures;
  figures.codec = std::string(codec_->name());
  RETURN_IF_ERROR(Code(clock, figures));
  for (size_t row = 0; row < rows(); ++row) {
    if (!decoded_.sparse.weights.empty()) {
      AddDraws(row, figures);
      continue;
    }
    RETURN_IF_ERROR(AddDense(row, figures));
    RETURN_IF_ERROR(AddScores(row, figures));
  }
  return figures;
}

std::string Cell(double value, const char* format) {
  if (std::isnan(value)) return "-";
  return std::string(format) == "bytes" ? absl::StrFormat("%.0f", value)
                                        : absl::StrFormat("%.1e", value);
}

}  // namespace

absl::StatusOr<std::vector<CodecFigures>> MeasureCodecs(const TensorView& logits,
                                                        const std::vector<std::string>& codecs,
                                                        Clock& clock) {
  if (logits.type != ElementType::kFloat32 || logits.dims.size() != 2 || logits.dims[0] < 1 ||
      logits.dims[1] < 2) {
    return absl::InvalidArgumentError(
        "logits must be float32 [rows, classes] with a row and two classes at least");
  }
  CodecOptions options;
  options.min_temperature = 1;
  options.max_temperature = kMaxTemperature;
  std::vector<CodecFigures> figures;
  for (const std::string& name : codecs) {
    ASSIGN_OR_RETURN(std::shared_ptr<const LabelCodec> codec, FindCodec(name, options));
    auto measured = Measurement(logits, std::move(codec)).Run(clock);
    if (!measured.ok()) return Annotate(measured.status(), absl::StrCat("codec ", name));
    figures.push_back(*std::move(measured));
  }
  return figures;
}

std::string CodecTable(const std::vector<CodecFigures>& figures) {
  std::string table =
      "| codec | bytes | KL T=1 | KL T=2 | KL T=4 | tail T=1 | tail T=2 | tail T=4 | worst bucket "
      "KL "
      "| worst p error | L1 T=1 | encode s | decode s |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const CodecFigures& f : figures) {
    absl::StrAppend(&table, "| ", f.codec, " | ", Cell(f.bytes, "bytes"));
    for (const double value : f.full_kl) absl::StrAppend(&table, " | ", Cell(value, ""));
    for (const double value : f.tail_mass) absl::StrAppend(&table, " | ", Cell(value, ""));
    for (const double value :
         {f.worst_kl, f.worst_probability, f.l1, f.encode_seconds, f.decode_seconds}) {
      absl::StrAppend(&table, " | ", Cell(value, ""));
    }
    absl::StrAppend(&table, " |\n");
  }
  return table;
}

}  // namespace distill
