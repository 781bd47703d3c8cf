// The metrics of a process, and the text that Prometheus scrapes. The only wrapper
// of prometheus-cpp: other rooms hold the handles below and see none of its headers.
// docs/metrics.md says how metrics are named and lists those of every process.
#ifndef COMMON_METRICS_METRIC_REGISTRY_H_
#define COMMON_METRICS_METRIC_REGISTRY_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

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

// Only grows. Any thread; one atomic addition.
class Counter {
 public:
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // Ignores an amount that is not above 0 (a NaN would stay for ever).
  void Add(double amount = 1);

 private:
  prometheus::Counter* const impl_;
};

// A value that comes and goes. Any thread; one atomic write.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;

  void Set(double value);

 private:
  prometheus::Gauge* const impl_;
};

// How observations are spread over buckets. Any thread; takes a lock of its own, so
// observe once a batch, not once an example.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // Ignores NaN, which would spoil the sum for ever.
  void Observe(double value);

 private:
  prometheus::Histogram* const impl_;
};

struct MetricRegistryOptions {
  // Labels of distill_build_info, which is there when one of them is not empty.
  std::string version{};
  std::string role{};  // "teacher_server", "student_worker", ...
  std::string proc = "/proc";
};

// Thread-safe. Add* is for construction: it locks and searches; keep the handle. A
// handle belongs to the registry and dies with it. Series start at 0 and are served
// from the moment they are added, so add them before the first scrape.
//
// The same name and labels give the same handle; the first help text is kept. A broken
// invariant, so a crash that names the metric: one name for two kinds or for two lists
// of bounds, a name or label that Prometheus does not allow, a name that begins with
// process_, bounds that do not rise.
class MetricRegistry {
 public:
  explicit MetricRegistry(const MetricRegistryOptions& options = {});
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  Counter* AddCounter(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {});
  Gauge* AddGauge(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  // `bounds`: upper, inclusive, rising and finite; a bucket for the rest is added.
  Histogram* AddHistogram(const std::string& name, const std::string& help,
                          const MetricLabels& labels, const std::vector<double>& bounds);

  // Prometheus' text format 0.0.4 of everything added, and of process_cpu_seconds_total,
  // process_resident_memory_bytes, process_open_fds and process_start_time_seconds as
  // they are now. Those four are left out where /proc cannot be read.
  std::string Serialize() const;

 private:
  using Key = std::pair<std::string, MetricLabels>;
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Shape {
    Kind kind;
    std::vector<double> bounds;
  };

  void CheckLocked(const std::string& name, const MetricLabels& labels, const Shape& shape)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string proc_;
  const std::unique_ptr<prometheus::Registry> registry_;
  absl::Mutex mu_;
  std::map<std::string, Shape> shapes_ ABSL_GUARDED_BY(mu_);
  std::map<Key, Counter> counters_ ABSL_GUARDED_BY(mu_);
  std::map<Key, Gauge> gauges_ ABSL_GUARDED_BY(mu_);
  std::map<Key, Histogram> histograms_ ABSL_GUARDED_BY(mu_);
};

// 0.0005 to 60, in seconds: 16 bounds in steps of about 1, 2.5 and 5.
std::vector<double> DurationBuckets();
// 1, 2, 4, ..., 4096.
std::vector<double> SizeBuckets();

}  // namespace distill

#endif  // COMMON_METRICS_METRIC_REGISTRY_H_
