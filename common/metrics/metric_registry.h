// The metrics of a process, and the text that Prometheus scrapes. The only wrapper
// of prometheus-cpp: other rooms hold the handles below and see none of its headers.
// common/metrics/catalogue.h says which metrics there are.
#ifndef COMMON_METRICS_METRIC_REGISTRY_H_
#define COMMON_METRICS_METRIC_REGISTRY_H_

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/catalogue.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace distill {

// Name to value. Values come from small fixed sets (a model's name, a reason), never
// from examples, steps or peers: every combination is a series for the process's life.
using MetricLabels = std::map<std::string, std::string>;

// The handles below hold the values, and those added one after another lie in the same cache
// lines; Prometheus' own objects, a line or more each, are told when a page is served. Whoever
// moves labels has lost all these lines each time. So add together what one thread counts.

// Only grows. Any thread, without a lock.
class Counter {
 public:
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // Ignores an amount that is not above 0 (a NaN would stay for ever).
  void Add(double amount = 1) {
    if (amount > 0) value_.fetch_add(amount, std::memory_order_relaxed);
  }

 private:
  friend class MetricRegistry;

  void Tell();

  std::atomic<double> value_{0};
  double told_ = 0;  // under the registry's lock
  prometheus::Counter* const impl_;
};

// A value that comes and goes. Any thread; one atomic write.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;

  void Set(double value) { value_.store(value, std::memory_order_relaxed); }

 private:
  friend class MetricRegistry;

  void Tell();

  std::atomic<double> value_{0};
  prometheus::Gauge* const impl_;
};

// How observations are spread over buckets. Any thread; takes a lock of its own, so
// observe once a batch, not once an example. Its buckets lie in several cache lines, so
// observations go to them together: when there are kTogether, and before a page is served.
class alignas(64) Histogram {
 public:
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // Ignores NaN, which would spoil the sum for ever.
  void Observe(double value) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class MetricRegistry;
  // Two cache lines.
  static constexpr int kTogether = 13;

  void Tell() ABSL_LOCKS_EXCLUDED(mu_);
  void TellLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  prometheus::Histogram* const impl_;
  absl::Mutex mu_;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::array<double, kTogether> values_ ABSL_GUARDED_BY(mu_);
};

struct MetricRegistryOptions {
  // Labels of distill_build_info, which is there when one of them is not empty.
  std::string version{};
  std::string role{};  // "teacher_server", "student_worker", ...
  std::string proc = "/proc";
  // Another one is for tests of this room; it outlives the registry.
  std::span<const MetricRow> catalogue = Catalogue();
};

// Thread-safe. Add* is for construction: it locks and searches; keep the handle. A
// handle belongs to the registry and dies with it. Series start at 0 and are served
// from the moment they are added, so add them before the first scrape.
//
// The same metric and labels give the same handle. A broken invariant, so a crash that
// names the metric: one of another kind than its row's or with other labels, one that the
// registry serves itself (process_*), and a row that Prometheus does not allow: its name,
// a label, bounds that do not rise.
class MetricRegistry {
 public:
  explicit MetricRegistry(const MetricRegistryOptions& options = {});
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Counter* AddCounter(Metric metric, const MetricLabels& labels = {});
  Gauge* AddGauge(Metric metric, const MetricLabels& labels = {});
  Histogram* AddHistogram(Metric metric, const MetricLabels& labels = {});

  // Prometheus' text format 0.0.4 of everything added, and of process_cpu_seconds_total,
  // process_resident_memory_bytes, process_open_fds and process_start_time_seconds as
  // they are now. Those four are left out where /proc cannot be read.
  std::string Serialize();

 private:
  template <typename Handle>
  struct Handles {
    std::deque<Handle> all;  // which stay where they are
    std::map<std::pair<Metric, MetricLabels>, Handle*> by_name;
  };

  // The metric's row; crashes where it may not be added so.
  const MetricRow& RowOf(Metric metric, MetricKind kind, const MetricLabels& labels) const;

  const std::string proc_;
  const std::span<const MetricRow> catalogue_;
  const std::unique_ptr<prometheus::Registry> registry_;
  absl::Mutex mu_;
  Handles<Counter> counters_ ABSL_GUARDED_BY(mu_);
  Handles<Gauge> gauges_ ABSL_GUARDED_BY(mu_);
  Handles<Histogram> histograms_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // COMMON_METRICS_METRIC_REGISTRY_H_
