// What each codec of soft labels costs and loses on given logits, as one table.
#ifndef BENCHMARKS_CODEC_CODEC_REPORT_H_
#define BENCHMARKS_CODEC_CODEC_REPORT_H_

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

inline constexpr std::array<double, 3> kReportTemperatures = {1, 2, 4};

// All figures are of one label. NaN where a codec has no such figure.
struct CodecFigures {
  std::string codec;
  double bytes = 0;
  // Over the rows, the mean at each of kReportTemperatures.
  // KL(teacher || label) over all classes. A sparse label is read as its head and a tail
  // whose mass is spread evenly: what is lost because the tail has been dropped. Draws have
  // none: it is infinite.
  std::array<double, 3> full_kl = {};
  // The teacher's mass on the classes that the label does not name. 0 for dense codecs.
  std::array<double, 3> tail_mass = {};
  // The worst of all rows at any of nine temperatures from 1 to 8: KL of head and tail
  // bucket, or of a dense label all of it, and the error of a probability, which is the one
  // of a gradient. Draws have none, since they are right in the mean only.
  double worst_kl = 0;
  double worst_probability = 0;
  // The mean of sum |label - teacher| over all classes at T = 1.
  double l1 = 0;
  // Median of five runs over all rows, on one core.
  double encode_seconds = 0;
  double decode_seconds = 0;
};

// `logits` is float32 [rows, classes] with at least one row and two classes; temperatures of
// sparse codecs are 1 to 8. For scores_at_ids/n the ids are spread evenly over the classes.
// Errors of the codecs, with their names.
absl::StatusOr<std::vector<CodecFigures>> MeasureCodecs(const TensorView& logits,
                                                        const std::vector<std::string>& codecs,
                                                        Clock& clock);

// A Markdown table.
std::string CodecTable(const std::vector<CodecFigures>& figures);

}  // namespace distill

#endif  // BENCHMARKS_CODEC_CODEC_REPORT_H_
