#include "benchmarks/support/bench_report.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/memory/malloc_tuning.h"

namespace distill {
namespace {

std::string Row(const std::string& name, const std::vector<double>& samples) {
  return absl::StrFormat("%-44s %14.4g %14.4g %14.4g\n", name, Median(samples),
                         *std::min_element(samples.begin(), samples.end()),
                         *std::max_element(samples.begin(), samples.end()));
}

}  // namespace

void BenchReport::Add(const std::string& prefix, const std::vector<Series>& series) {
  for (const Series& one : series) {
    const std::string name = prefix + one.name;
    samples[name + ".per_second"] = one.rate;
    samples[name + ".cpu_seconds_per_1000"] = one.cpu_seconds_per_thousand;
    samples[name + ".page_faults_per_1000"] = one.page_faults_per_thousand;
  }
}

void BenchReport::AddRatio(const std::string& name, const Series& over, const Series& under) {
  values[name] = RatioOf(over.rate, under.rate).median;
  std::vector<double>& ratios = samples[name];
  for (size_t i = 0; i < over.rate.size(); ++i) ratios.push_back(over.rate[i] / under.rate[i]);
}

void BenchReport::AddNoise(const Series& first, const Series& again) {
  const Ratio ratio = RatioOf(again.rate, first.rate);
  noise = std::max({noise, std::abs(ratio.least - 1), std::abs(ratio.most - 1)});
}

std::string ToJson(const BenchReport& report) {
  return nlohmann::json{{"name", report.name},
                        {"values", report.values},
                        {"samples", report.samples},
                        {"noise", report.noise}}
      .dump();
}

std::string ToTable(const BenchReport& report) {
  std::string table =
      absl::StrFormat("%-44s %14s %14s %14s\n", report.name, "median", "least", "most");
  for (const auto& [name, samples] : report.samples) absl::StrAppend(&table, Row(name, samples));
  for (const auto& [name, value] : report.values) {
    if (!report.samples.contains(name)) absl::StrAppend(&table, Row(name, {value}));
  }
  absl::StrAppendFormat(&table, "noise of the same measured twice: %.1f %%\n", report.noise * 100);
  return absl::StrCat(table, report.limits, "\n");
}

int BenchMain(int argc, char** argv, const std::string& what,
              const std::function<absl::StatusOr<BenchReport>(const BenchOptions&)>& run) {
  KeepFreedMemory();  // As every process of the product.
  CLI::App app(what);
  BenchOptions options;
  bool json = false;
  double seconds = absl::ToDoubleSeconds(options.turn);
  app.add_flag("--json", json, "close with one line of JSON, see benchmarks/README.md");
  app.add_option("--rounds", options.rounds, "interleaved repeats")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", seconds, "of one variant in one round")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.turn = absl::Seconds(seconds);
  const absl::StatusOr<BenchReport> report = run(options);
  if (!report.ok()) {
    std::cerr << "benchmark failed: " << report.status().ToString() << "\n";
    return 1;
  }
  std::cout << ToTable(*report);
  if (json) std::cout << ToJson(*report) << "\n";
  return 0;
}

}  // namespace distill
