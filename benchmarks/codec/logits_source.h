// Where a report on codecs takes its logits from.
#ifndef BENCHMARKS_CODEC_LOGITS_SOURCE_H_
#define BENCHMARKS_CODEC_LOGITS_SOURCE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

struct LogitsSource {
  // A file of a teacher's logits; empty: they are generated.
  std::string npy_path;
  // "language_model" or "normal" (distillation/labels/synthetic_logits.h).
  std::string generator = "language_model";
  int64_t classes = 128000;
  uint64_t seed = 1;
  // Of a file its first ones.
  int64_t rows = 20;
};

// float32 [rows, classes]. Errors of ReadNpy (distillation/data/npy_reader.h);
// INVALID_ARGUMENT for a file that holds something else and for a generator that is unknown.
absl::StatusOr<TensorView> ReadLogits(FileSystem& files, const LogitsSource& source);

}  // namespace distill

#endif  // BENCHMARKS_CODEC_LOGITS_SOURCE_H_
