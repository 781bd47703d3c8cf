// What a LabelServer remembers; private to its sources.
#ifndef TEACHER_SERVER_SERVICE_LABEL_SERVER_STATE_H_
#define TEACHER_SERVER_SERVICE_LABEL_SERVER_STATE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/peer_identity.h"
#include "distillation/labels/codec.h"
#include "teacher_server/service/cached_rows.h"
#include "teacher_server/service/label_server.h"

namespace distill {

struct LabelServer::Stream {
  Stream(uint64_t id, PeerIdentity peer, std::shared_ptr<FrameSink> sink,
         std::shared_ptr<MemoryLedger::Account> account)
      : id(id), peer(std::move(peer)), sink(std::move(sink)), account(std::move(account)) {}

  const uint64_t id;
  const PeerIdentity peer;
  const std::shared_ptr<FrameSink> sink;
  const std::shared_ptr<MemoryLedger::Account> account;

  absl::Mutex mu;
  std::optional<LabelStream> state ABSL_GUARDED_BY(mu);
  bool finished ABSL_GUARDED_BY(mu) = false;

  // Of the control thread.
  bool ended = false;
  bool opened = false;
  // As opened.
  bool exact = false;
  // Stands for the run's id in the batcher.
  uint64_t run = 0;
  // Of the run, there.
  int64_t weight = kUsualWeight;
  std::shared_ptr<const LabelCodec> codec;
  std::vector<std::string> outputs;
  // Of the runner, for these.
  std::vector<std::string> computed;
  // Admitted and unanswered: the student's id to the server's, which is never used
  // twice.
  std::map<uint64_t, uint64_t> asked;
};

struct LabelServer::Request {
  uint64_t id = 0;
  std::shared_ptr<Stream> stream;
  uint64_t request_id = 0;
  // By id, or the examples themselves.
  v1::ExampleRefs refs;
  std::optional<SentExamples> tensors;
  absl::Duration admitted;
  // Held for its answer, until that is handed over.
  std::shared_ptr<const void> memory;
  absl::Duration deadline;
  // Where the cache is asked, requests to the batcher are flights: `refs` are the rows
  // that the ask `id` has computed, for itself and others.
  std::shared_ptr<CachedRows> rows;
  uint64_t flight = 0;
  // Of an ask that has a flight: that flight's.
  v1::StageSeconds stages;

  int64_t examples() const { return tensors.has_value() ? tensors->dims[0] : refs.ids_size(); }
  uint64_t batcher_id() const { return rows == nullptr ? id : flight; }
};

struct LabelServer::Model {
  Model(Serving serving, const BatcherOptions& options)
      : served(std::make_shared<const ServedModel>(std::move(serving.model))),
        runner(std::move(serving.runner)),
        data(std::move(serving.data)),
        max_request_examples(static_cast<uint32_t>(options.max_batch_examples)),
        told(std::move(serving.told)),
        batcher(options) {}

  const std::shared_ptr<const ServedModel> served;
  const std::shared_ptr<Runner> runner;
  const std::shared_ptr<const DataSet> data;
  const uint32_t max_request_examples;
  // May be null.
  const std::function<void(const absl::Status&)> told;
  Batcher batcher;
  Canary canary;
  // By nature, as its recorded answers show: most of its units are off.
  bool gives_copies = false;
  // Why nothing it answers is used any more.
  absl::Status at_fault;
  // What the batcher holds, by its id.
  std::map<uint64_t, Request> waiting;
  // Null without a cache. Otherwise the asks that wait for its rows.
  std::shared_ptr<CachedRows> rows;
  std::map<uint64_t, Request> asks;
  // Of these.
  std::set<std::pair<absl::Duration, uint64_t>> ask_deadlines;

  void AddAsk(Request request);
  // Nothing where it does not wait (any more).
  std::optional<Request> TakeAsk(uint64_t id);

  // 0 without a head.
  int64_t features() const;
  // Values of a row that the stream's codec encodes.
  int64_t WidthFor(const Stream& stream) const;
  // Made at the first ask for it, and kept for the others.
  absl::StatusOr<LabelAnswer> HeadAnswer();
  std::optional<LabelAnswer> head;
};

// A batch that holds one of the runner's places, until all its groups have run: one, or
// each request alone where one of them spoilt the batch.
struct LabelServer::Work {
  std::shared_ptr<Model> model;
  Batch batch;
  std::deque<std::vector<Request>> groups;

  std::vector<Request> running;
  std::vector<std::string> outputs;
  // Of `running`.
  TensorView examples;
  absl::Duration started;
  absl::Duration assemble;

  // Of all groups so far.
  absl::Duration waited;
  absl::Duration compute;
  bool failed = false;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_LABEL_SERVER_STATE_H_
