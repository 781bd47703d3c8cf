#include "teacher_server/batching/fair_queue.h"

#include <algorithm>
#include <limits>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

// Deficit round robin over a map of flows: the first after `last` that can pay for what
// head_of gives it, after as few rounds as let one do so. Null if no flow has a head.
template <typename Flows, typename HeadOf, typename WeightFn>
auto PickFlow(Flows& flows, uint64_t last, HeadOf head_of, WeightFn weight_of)
    -> decltype(head_of(flows.begin()->second)) {
  int64_t rounds = std::numeric_limits<int64_t>::max();
  const auto try_all = [&]() -> decltype(head_of(flows.begin()->second)) {
    auto flow = flows.upper_bound(last);
    for (size_t i = 0; i < flows.size(); ++i, ++flow) {
      if (flow == flows.end()) flow = flows.begin();
      const auto head = head_of(flow->second);
      if (head == nullptr) continue;
      const int64_t lacking = head->item.cost - flow->second.deficit;
      if (lacking <= 0) return head;
      const int64_t weight = weight_of(flow->second);
      rounds = std::min(rounds, (lacking + weight - 1) / weight);
    }
    return nullptr;
  };
  if (const auto head = try_all(); head != nullptr) return head;
  if (rounds == std::numeric_limits<int64_t>::max()) return nullptr;
  for (auto& [key, flow] : flows) flow.deficit += rounds * weight_of(flow);
  return try_all();
}

}  // namespace

void FairQueue::Push(const FairItem& item) {
  ABSL_RAW_CHECK(item.cost >= 1 && item.weight >= 1, "a cost or weight below 1");
  const bool added = items_.try_emplace(item.id, Waiting{item, ++sequence_}).second;
  ABSL_RAW_CHECK(added, "an id that waits already");
  Run& run = runs_[item.run];
  run.weight = item.weight;
  run.cost += item.cost;
  Stream& stream = run.streams[item.stream];
  stream.cost += item.cost;
  stream.queues[item.kind].push_back(item.id);
}

const FairQueue::Waiting* FairQueue::Oldest(const Stream& stream, Accept accept) const {
  const Waiting* oldest = nullptr;
  for (const auto& [kind, ids] : stream.queues) {
    if (!accept(kind)) continue;
    const Waiting& head = items_.at(ids.front());
    if (oldest == nullptr || head.sequence < oldest->sequence) oldest = &head;
  }
  return oldest;
}

const FairQueue::Waiting* FairQueue::NextOfRun(Run& run, Accept accept) {
  return PickFlow(
      run.streams, run.last, [&](const Stream& stream) { return Oldest(stream, accept); },
      [](const Stream&) { return int64_t{1}; });
}

std::optional<uint64_t> FairQueue::Next(Accept accept) {
  const Waiting* next = PickFlow(
      runs_, last_, [&](Run& run) { return NextOfRun(run, accept); },
      [](const Run& run) { return run.weight; });
  if (next == nullptr) return std::nullopt;
  return next->item.id;
}

void FairQueue::Take(uint64_t id) {
  const FairItem item = items_.at(id).item;
  Run& run = runs_.at(item.run);
  run.deficit -= item.cost;
  run.last = item.stream;
  run.streams.at(item.stream).deficit -= item.cost;
  last_ = item.run;
  Remove(id);
}

void FairQueue::Remove(uint64_t id) {
  const auto at = items_.find(id);
  ABSL_RAW_CHECK(at != items_.end(), "an id that does not wait");
  const FairItem item = at->second.item;
  const auto run = runs_.find(item.run);
  const auto stream = run->second.streams.find(item.stream);
  const auto queue = stream->second.queues.find(item.kind);
  queue->second.erase(std::find(queue->second.begin(), queue->second.end(), id));
  if (queue->second.empty()) stream->second.queues.erase(queue);
  stream->second.cost -= item.cost;
  run->second.cost -= item.cost;
  items_.erase(at);
  // Who does not wait is owed nothing.
  if (stream->second.queues.empty()) run->second.streams.erase(stream);
  if (run->second.streams.empty()) runs_.erase(run);
}

int64_t FairQueue::CostUntil(const FairItem& item) const {
  int64_t own = item.cost;
  int64_t in_run = 0;
  if (const auto run = runs_.find(item.run); run != runs_.end()) {
    const auto stream = run->second.streams.find(item.stream);
    if (stream != run->second.streams.end()) own += stream->second.cost;
    for (const auto& [key, other] : run->second.streams) {
      if (key != item.stream) in_run += std::min(other.cost, own);
    }
  }
  in_run += own;
  int64_t all = in_run;
  for (const auto& [key, other] : runs_) {
    if (key != item.run) all += std::min(other.cost, in_run * other.weight / item.weight);
  }
  return all;
}

}  // namespace distill
