// What the Label stream costs over the bare network: a teacher that computes nothing
// answers 4,000 bytes a row; beside it, in turns, a raw gRPC stream of equal messages.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "benchmarks/pipe/raw_stream.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/load.h"
#include "benchmarks/support/teacher.h"
#include "common/bytes/byte_slices.h"
#include "common/clock/clock.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/transport.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr int kClients = 8;
constexpr int64_t kClasses = 1000;  // 4,000 bytes in dense_fp32.
constexpr int64_t kMaxBatch = 64;

// Of an example that is sent along: 12,288 bytes.
constexpr int64_t kFeatures = 3072;

struct Shape {
  std::string name;
  int64_t rows;
  int window;
  // Examples come along with the request; otherwise they are named by id.
  bool tensors;

  ModelDescription Model() const {
    return tensors ? BenchModel(kClasses, {kFeatures}) : BenchModel(kClasses);
  }
  v1::Ask Ask(uint64_t request) const {
    if (!tensors) return BenchTeacher::Ask(request, rows);
    v1::Ask ask;
    ask.set_request_id(request);
    ask.mutable_remaining()->set_seconds(60);
    v1::TensorBundle::NamedTensor& tensor = *ask.mutable_tensors()->add_tensors();
    tensor.set_name("examples");
    tensor.set_dtype(v1::FLOAT32);
    tensor.add_dims(rows);
    tensor.add_dims(kFeatures);
    return ask;
  }
  size_t TensorBytes() const { return tensors ? rows * kFeatures * sizeof(float) : 0; }
};

// A raw server and a channel to it for each client.
class RawPipe {
 public:
  static absl::StatusOr<std::unique_ptr<RawPipe>> Start(const RawStreamOptions& options) {
    std::unique_ptr<RawPipe> pipe(new RawPipe(options));
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(16 << 20);
    builder.RegisterCallbackGenericService(pipe->service_.get());
    pipe->server_ = builder.BuildAndStart();
    if (pipe->server_ == nullptr) return absl::UnavailableError("no port for the raw stream");
    for (int i = 0; i < kClients; ++i) {
      ASSIGN_OR_RETURN(auto channel, CreateChannel({}, absl::StrCat("127.0.0.1:", port)));
      pipe->channels_.push_back(std::move(channel));
    }
    return pipe;
  }
  ~RawPipe() { threads_.Stop(); }

  absl::Status Run(int64_t requests) {
    std::vector<absl::Status> results(kClients);
    absl::BlockingCounter left(kClients);
    for (int i = 0; i < kClients; ++i) {
      RETURN_IF_ERROR(threads_.Schedule([&, i] {
        results[i] = RunRawStream(channels_[i], options_, requests);
        left.DecrementCount();
      }));
    }
    left.Wait();
    for (const absl::Status& result : results) RETURN_IF_ERROR(result);
    return absl::OkStatus();
  }

 private:
  explicit RawPipe(const RawStreamOptions& options)
      : options_(options), service_(MakeRawService(options)) {}

  const RawStreamOptions options_;
  const std::unique_ptr<grpc::CallbackGenericService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  ThreadExecutor threads_{{.name = "raw", .threads = kClients, .max_queued = kClients}};
};

absl::Status MeasureShape(const Shape& shape, const BenchOptions& options, Clock* clock,
                          BenchReport* report) {
  auto runner = std::make_shared<NopRunner>(shape.Model(), kMaxBatch);
  ASSIGN_OR_RETURN(auto teacher, BenchTeacher::Start(runner, kMaxBatch, clock));
  const v1::Ask ask = shape.Ask(1);
  std::vector<std::unique_ptr<Load>> loads;
  for (int i = 0; i < kClients; ++i) {
    LoadOptions load;
    load.address = teacher->address();
    load.open = BenchTeacher::OpenFor(shape.Model(), "dense_fp32");
    load.window = shape.window;
    load.ask = [&](uint64_t request) { return shape.Ask(request); };
    load.tensors = SlicesOf(std::string(shape.TensorBytes(), '\0'));
    ASSIGN_OR_RETURN(loads.emplace_back(), Load::Open(load));
  }
  RawStreamOptions raw;
  raw.request_bytes = ask.ByteSizeLong() + shape.TensorBytes();
  raw.answer_bytes = shape.rows * kClasses * sizeof(float);
  raw.window = shape.window;
  ASSIGN_OR_RETURN(auto bare, RawPipe::Start(raw));
  raw.work = RawWork::kMatched;
  ASSIGN_OR_RETURN(auto matched, RawPipe::Start(raw));
  raw.work = RawWork::kLeast;
  ASSIGN_OR_RETURN(auto least, RawPipe::Start(raw));

  const auto sized = [&](std::function<absl::Status(int64_t)> run) {
    auto requests = Sized(std::move(run), options.turn, clock);
    return [requests, rows = shape.rows]() mutable -> absl::StatusOr<double> {
      ASSIGN_OR_RETURN(const double count, requests());
      return count * kClients * static_cast<double>(rows);
    };
  };
  ASSIGN_OR_RETURN(
      const std::vector<Series> series,
      MeasureInterleaved({{"label_stream", sized([&](int64_t n) { return RunLoads(loads, n); })},
                          {"matched_raw", sized([&](int64_t n) { return matched->Run(n); })},
                          {"bare_raw", sized([&](int64_t n) { return bare->Run(n); })},
                          {"least_raw", sized([&](int64_t n) { return least->Run(n); })},
                          {"matched_raw_again", sized([&](int64_t n) { return matched->Run(n); })}},
                         options.rounds, clock, UsageOfThisProcess));
  report->Add(shape.name + "/", series);
  report->AddRatio(shape.name + "_over_matched_raw", series[0], series[1]);
  report->AddRatio(shape.name + "_over_bare_raw", series[0], series[2]);
  report->AddRatio(shape.name + "_over_least_raw", series[0], series[3]);
  report->AddRatio(shape.name + "_least_raw_over_bare_raw", series[3], series[2]);
  report->AddNoise(series[1], series[4]);
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  BenchReport report;
  report.name = "pipe";
  report.limits =
      "Clients and server share one process, its processors and the loopback: no network delay,\n"
      "no loss, no TLS. Units are rows of 1,000 float32 classes; requests bring 12,288\n"
      "bytes a row along (tensors) or name examples by id (ids).";
  for (const Shape& shape : {Shape{"8x1_ids", 1, 8, false}, Shape{"8x64_ids", 64, 4, false},
                             Shape{"8x1_tensors", 1, 8, true}, Shape{"8x16_tensors", 16, 4, true},
                             Shape{"8x64_tensors", 64, 4, true}}) {
    RETURN_IF_ERROR(MeasureShape(shape, options, &clock, &report));
  }
  // What is held to account: the shape of a student's training step.
  report.values["over_matched_raw"] = report.values["8x64_tensors_over_matched_raw"];
  report.values["over_bare_raw"] = report.values["8x64_tensors_over_bare_raw"];
  // Where the second one ends on this machine's memory: no stream with checksums gets further.
  report.values["least_raw_over_bare_raw"] = report.values["8x64_tensors_least_raw_over_bare_raw"];
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(argc, argv, "What the Label stream costs over a raw gRPC stream.",
                            distill::Run);
}
