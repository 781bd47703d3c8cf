// The frame of every benchmark: its command line, its table for people, and the line of
// JSON for scripts (benchmarks/README.md).
#ifndef BENCHMARKS_SUPPORT_BENCH_REPORT_H_
#define BENCHMARKS_SUPPORT_BENCH_REPORT_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/support/interleaved.h"

namespace distill {

struct BenchOptions {
  int rounds = 5;
  // Of one variant in one round, where the work has no size of its own.
  absl::Duration turn = absl::Seconds(2);
};

struct BenchReport {
  std::string name;
  // What ranges.json holds to account.
  std::map<std::string, double> values;
  std::map<std::string, std::vector<double>> samples;
  // How far the same variant measured twice lies from itself: largest distance of a
  // round's ratio from 1. A difference below it says nothing.
  double noise = 0;
  // What the benchmark cannot show.
  std::string limits;

  // The rates, processor time and page faults of `series`, named "<prefix><its name>".
  void Add(const std::string& prefix, const std::vector<Series>& series);
  // values[name] and samples[name]: `over` to `under`, round by round.
  void AddRatio(const std::string& name, const Series& over, const Series& under);
  void AddNoise(const Series& first, const Series& again);
};

// One line, keys sorted.
std::string ToJson(const BenchReport& report);
// Median, least and most of everything.
std::string ToTable(const BenchReport& report);

// What main() returns. Flags: --json, --rounds N, --seconds S, --help.
int BenchMain(int argc, char** argv, const std::string& what,
              const std::function<absl::StatusOr<BenchReport>(const BenchOptions&)>& run);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_BENCH_REPORT_H_
