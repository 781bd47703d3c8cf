#include "benchmarks/support/interleaved.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

double Seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

absl::StatusOr<std::vector<Series>> MeasureInterleaved(
    const std::vector<Variant>& variants, int rounds, Clock* clock,
    const std::function<ResourceUsage()>& usage) {
  std::vector<Series> all(variants.size());
  for (size_t i = 0; i < variants.size(); ++i) all[i].name = variants[i].name;
  for (int round = -1; round < rounds; ++round) {
    for (size_t turn = 0; turn < variants.size(); ++turn) {
      const size_t i = (turn + static_cast<size_t>(round + 1)) % variants.size();
      const ResourceUsage before = usage();
      const absl::Duration start = clock->MonotonicNow();
      const absl::StatusOr<double> units = variants[i].run();
      const double seconds = absl::ToDoubleSeconds(clock->MonotonicNow() - start);
      const ResourceUsage after = usage();
      if (!units.ok()) return Annotate(units.status(), variants[i].name);
      if (*units <= 0 || seconds <= 0) {
        return absl::InternalError(absl::StrCat(variants[i].name, ": nothing was measured"));
      }
      if (round < 0) continue;
      all[i].rate.push_back(*units / seconds);
      all[i].cpu_seconds_per_thousand.push_back((after.cpu_seconds - before.cpu_seconds) * 1000 /
                                                *units);
      all[i].page_faults_per_thousand.push_back((after.page_faults - before.page_faults) * 1000 /
                                                *units);
    }
  }
  return all;
}

std::function<absl::StatusOr<double>()> Sized(std::function<absl::Status(int64_t)> work,
                                              absl::Duration turn, Clock* clock) {
  return [work = std::move(work), turn, clock,
          units = int64_t{0}]() mutable -> absl::StatusOr<double> {
    // Doubles until the time of a call can be trusted, then scales.
    for (int64_t tried = 1; units == 0; tried *= 2) {
      const absl::Duration start = clock->MonotonicNow();
      RETURN_IF_ERROR(work(tried));
      const absl::Duration took = clock->MonotonicNow() - start;
      if (took < turn / 4) continue;
      units = std::max<int64_t>(1, static_cast<int64_t>(tried * absl::FDivDuration(turn, took)));
    }
    RETURN_IF_ERROR(work(units));
    return static_cast<double>(units);
  };
}

ResourceUsage UsageOfThisProcess() {
  rusage usage{};
  ABSL_RAW_CHECK(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage of this process");
  // getrusage(2) knows of a thread that runs what it had used at the last tick.
  timespec time{};
  ABSL_RAW_CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "this process's time");
  return {Seconds(time), static_cast<double>(usage.ru_minflt)};
}

double Median(std::vector<double> values) {
  ABSL_RAW_CHECK(!values.empty(), "the median of nothing");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Ratio RatioOf(const std::vector<double>& over, const std::vector<double>& under) {
  ABSL_RAW_CHECK(over.size() == under.size(), "series of different rounds");
  std::vector<double> ratios;
  for (size_t i = 0; i < over.size(); ++i) ratios.push_back(over[i] / under[i]);
  return {Median(ratios), *std::min_element(ratios.begin(), ratios.end()),
          *std::max_element(ratios.begin(), ratios.end())};
}

Ratio MedianInterval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  const auto outside = static_cast<size_t>(std::max(0.0, n / 2 - 0.98 * std::sqrt(n)));
  Ratio interval;
  interval.median = Median(values);
  interval.least = values[outside];
  interval.most = values[values.size() - 1 - outside];
  return interval;
}

}  // namespace distill
