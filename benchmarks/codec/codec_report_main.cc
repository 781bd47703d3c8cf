// codec_report: bytes, errors and seconds of each codec on logits of a file or of the
// language-model-shaped set (distillation/labels/synthetic_logits.h).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "benchmarks/codec/codec_report.h"
#include "benchmarks/codec/logits_source.h"
#include "common/clock/clock.h"
#include "common/files/posix_file_system.h"

int main(int argc, char** argv) {
  distill::LogitsSource source;
  std::vector<std::string> codecs = {
      "dense_fp32", "dense_fp16", "dense_bf16", "log_prob_u8", "log_prob_u8/24",  "log_prob_u8/128",
      "top_k/8",    "top_k",      "top_k/37",   "top_k/100",   "scores_at_ids/3", "sampled"};
  CLI::App app("Measures the codecs of soft labels and prints a Markdown table", "codec_report");
  app.add_option("--npy", source.npy_path, "Logits of a teacher: .npy, float32 [rows, classes]");
  app.add_option("--generator", source.generator,
                 "Without --npy: language_model (default), or normal, N(0, 4^2)");
  app.add_option("--classes", source.classes, "Classes of generated rows, 128000 by default")
      ->check(CLI::Range(2, 1 << 24));
  app.add_option("--rows", source.rows, "Rows, at most those of the file; 20 by default")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--seed", source.seed, "Of generated rows, 1 by default");
  app.add_option("--codecs", codecs, "Names as in a configuration");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  distill::PosixFileSystem files;
  distill::SystemClock clock;
  const auto logits = ReadLogits(files, source);
  const auto figures = logits.ok() ? MeasureCodecs(*logits, codecs, clock) : logits.status();
  if (!figures.ok()) {
    std::fprintf(stderr, "codec_report: %s\n", figures.status().ToString().c_str());
    return 1;
  }
  std::printf("%lld rows of %lld classes; one core; temperatures of sparse labels 1 to 8\n\n%s",
              static_cast<long long>(logits->dims[0]), static_cast<long long>(logits->dims[1]),
              CodecTable(*figures).c_str());
  return 0;
}
