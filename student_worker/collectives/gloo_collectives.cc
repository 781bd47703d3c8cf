#include "student_worker/collectives/gloo_collectives.h"

#include <torch/csrc/autograd/variable.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

std::string ToString(const std::vector<uint8_t>& bytes) {
  return std::string(bytes.begin(), bytes.end());
}

// c10d reports failure by exception; this adapter is the only place that throws,
// and RunGuarded below the only one that catches.
[[noreturn]] void Throw(const absl::Status& status) { throw std::runtime_error(status.ToString()); }

class StoreAdapter final : public c10d::Store {
 public:
  StoreAdapter(KeyValueStore* store, std::chrono::milliseconds timeout)
      : c10d::Store(timeout), store_(store) {}

  using c10d::Store::set;
  c10::intrusive_ptr<c10d::Store> clone() override {
    return c10::make_intrusive<StoreAdapter>(store_, timeout_);
  }
  void set(const std::string& key, const std::vector<uint8_t>& value) override {
    if (absl::Status status = store_->Set(key, ToString(value)); !status.ok()) Throw(status);
  }
  std::vector<uint8_t> get(const std::string& key) override {
    auto values = Fetch({key}, timeout_);
    return std::vector<uint8_t>(values[0].begin(), values[0].end());
  }
  int64_t add(const std::string& key, int64_t amount) override {
    auto sum = store_->Add(key, amount);
    if (!sum.ok()) Throw(sum.status());
    return *sum;
  }
  void wait(const std::vector<std::string>& keys) override { Fetch(keys, timeout_); }
  void wait(const std::vector<std::string>& keys,
            const std::chrono::milliseconds& timeout) override {
    Fetch(keys, timeout);
  }
  // Keys go with their generation, all at once.
  bool deleteKey(const std::string&) override { return false; }
  bool check(const std::vector<std::string>& keys) override {
    return store_->Get(keys, absl::ZeroDuration()).ok();
  }
  int64_t getNumKeys() override { Throw(absl::UnimplementedError("getNumKeys")); }

 private:
  std::vector<std::string> Fetch(const std::vector<std::string>& keys,
                                 std::chrono::milliseconds timeout) {
    auto values = store_->Get(keys, absl::FromChrono(timeout));
    if (!values.ok()) Throw(values.status());
    return *std::move(values);
  }

  KeyValueStore* const store_;
};

// Runs c10d calls; what they throw means that the world is broken.
template <typename F>
absl::Status RunGuarded(const char* what, F&& f) {
  try {
    std::forward<F>(f)();
    return absl::OkStatus();
  } catch (const std::exception& e) {
    return absl::UnavailableError(
        absl::StrCat(what, " failed, so a rank of this world is lost or too slow: ", e.what()));
  }
}

class GlooReducer final : public GradientReducer {
 public:
  GlooReducer(std::vector<at::Tensor> parameters, c10::intrusive_ptr<c10d::ProcessGroup> group,
              int64_t bucket_bytes)
      : parameters_(std::move(parameters)) {
    const std::vector<bool> sparse(parameters_.size(), false);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        parameters_, {static_cast<size_t>(bucket_bytes)}, sparse);
    for (const auto& bucket : buckets) bucket_bytes_.insert(bucket_bytes_.begin(), Bytes(bucket));
    // Backward produces gradients from the last layer to the first.
    reducer_ = std::make_unique<c10d::Reducer>(
        parameters_, std::vector<std::vector<size_t>>{buckets.rbegin(), buckets.rend()},
        std::move(group), sparse, bucket_bytes, /*find_unused_parameters=*/false,
        /*gradient_as_bucket_view=*/true, std::unordered_map<size_t, std::string>{}, bucket_bytes,
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
        std::vector<int64_t>{});
  }

  void BeforeForward() override {
    for (at::Tensor& parameter : parameters_) parameter.mutable_grad() = at::Tensor();
    reducer_->prepare_for_forward();
  }

  absl::Status Backward(const at::Tensor& loss) override {
    return RunGuarded("gradient all-reduce", [&] {
      reducer_->prepare_for_backward({loss});
      loss.backward();
    });
  }

  std::vector<uint64_t> BucketBytes() const override { return bucket_bytes_; }

 private:
  uint64_t Bytes(const std::vector<size_t>& bucket) const {
    uint64_t bytes = 0;
    for (const size_t index : bucket) bytes += parameters_[index].nbytes();
    return bytes;
  }

  std::vector<at::Tensor> parameters_;
  std::vector<uint64_t> bucket_bytes_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

class GlooCollectives final : public Collectives {
 public:
  GlooCollectives(const GlooOptions& options, c10::intrusive_ptr<c10d::ProcessGroup> group)
      : options_(options), group_(std::move(group)) {}

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }

  absl::Status AllReduceSum(std::span<float> values) override {
    return AllReduce(Wrap(values, at::kFloat));
  }
  absl::Status AllReduceSum(std::span<double> values) override {
    return AllReduce(Wrap(values, at::kDouble));
  }
  absl::Status Broadcast(std::span<float> values, int root) override {
    if (absl::Status aborted = CheckNotAborted(); !aborted.ok()) return aborted;
    std::vector<at::Tensor> tensors = {Wrap(values, at::kFloat)};
    return RunGuarded("broadcast", [&] {
      c10d::BroadcastOptions broadcast;
      broadcast.rootRank = root;
      group_->broadcast(tensors, broadcast)->wait();
    });
  }
  absl::Status Barrier() override {
    if (absl::Status aborted = CheckNotAborted(); !aborted.ok()) return aborted;
    return RunGuarded("barrier", [&] { group_->barrier()->wait(); });
  }

  absl::StatusOr<std::unique_ptr<GradientReducer>> MakeGradientReducer(
      std::vector<at::Tensor> parameters) override {
    if (absl::Status aborted = CheckNotAborted(); !aborted.ok()) return aborted;
    std::unique_ptr<GradientReducer> reducer;
    absl::Status status = RunGuarded("making the gradient reducer", [&] {
      reducer = std::make_unique<GlooReducer>(std::move(parameters), group_, options_.bucket_bytes);
    });
    if (!status.ok()) return status;
    return reducer;
  }

  void Abort() override { aborted_.store(true); }

 private:
  template <typename T>
  static at::Tensor Wrap(std::span<T> values, at::ScalarType type) {
    return at::from_blob(values.data(), {static_cast<int64_t>(values.size())},
                         at::TensorOptions().dtype(type));
  }

  absl::Status CheckNotAborted() const {
    if (!aborted_.load()) return absl::OkStatus();
    return absl::AbortedError("this world was left; wait for the next generation");
  }

  absl::Status AllReduce(at::Tensor tensor) {
    if (absl::Status aborted = CheckNotAborted(); !aborted.ok()) return aborted;
    std::vector<at::Tensor> tensors = {std::move(tensor)};
    return RunGuarded("all-reduce", [&] { group_->allreduce(tensors)->wait(); });
  }

  const GlooOptions options_;
  const c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::atomic<bool> aborted_{false};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Collectives>> ConnectGloo(const GlooOptions& options,
                                                         KeyValueStore* store) {
  if (options.size < 1 || options.rank < 0 || options.rank >= options.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", options.rank, " is not in a world of ", options.size));
  }
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  absl::Status status = RunGuarded("rendezvous", [&] {
    const auto timeout = absl::ToChronoMilliseconds(options.timeout);
    auto adapter = c10::make_intrusive<StoreAdapter>(store, timeout);
    auto gloo_options = c10d::ProcessGroupGloo::Options::create(timeout);
    gloo_options->devices.push_back(
        c10d::ProcessGroupGloo::createDeviceForHostname(options.bind_host));
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(adapter, options.rank, options.size,
                                                            gloo_options);
    group = c10::make_intrusive<c10d::ProcessGroup>(adapter, options.rank, options.size);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  });
  if (!status.ok()) return status;
  return std::make_unique<GlooCollectives>(options, std::move(group));
}

}  // namespace distill
