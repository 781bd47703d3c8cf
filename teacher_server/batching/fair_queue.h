// The order in which waiting requests are served: fair between runs, then between the
// streams of a run.
#ifndef TEACHER_SERVER_BATCHING_FAIR_QUEUE_H_
#define TEACHER_SERVER_BATCHING_FAIR_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "absl/functional/function_ref.h"

namespace distill {

struct FairItem {
  // Unique among the waiting.
  uint64_t id = 0;
  uint64_t run = 0;
  // Unique within its run.
  uint64_t stream = 0;
  // Of the run, against other runs: that of its newest item counts. At least 1.
  int64_t weight = 1;
  // Of the server's time, in any unit; at least 1.
  int64_t cost = 1;
  // What may be served together.
  int kind = 0;
};

// Deficit round robin (Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit
// Round-Robin", IEEE/ACM Transactions on Networking 4(3), 1996) on two levels. Each
// round gives every waiting run its weight, and every waiting stream of a run 1; who
// can pay for its next item is served in turn. A round is as small as can be, and
// those that nobody can use are added up at once.
//
// Bound: over any time in which two runs wait throughout and Next accepts every kind,
// service / weight of the one and of the other differ by less than
// 2 + max_cost / weight + max_cost / other weight; so do two streams of one run, with
// weight 1. Where only some kinds are accepted, what a flow misses it is owed: it is
// served first as soon as its kind is accepted.
//
// Thread-compatible. Items of one stream and kind are served in the order of Push.
class FairQueue {
 public:
  using Accept = absl::FunctionRef<bool(int kind)>;

  // Crashes when the id waits already, or weight or cost is below 1.
  void Push(const FairItem& item);

  // The item to serve next among the kinds accepted; none if no such waits. Gives out
  // rounds, but serves nothing.
  std::optional<uint64_t> Next(Accept accept);

  // Serves what Next has just returned: its run and stream have paid for it.
  void Take(uint64_t id);

  // Without service. Both crash when it does not wait.
  void Remove(uint64_t id);

  // The cost served before a new item of this run and stream is done, itself included,
  // if all kinds are accepted and nothing more arrives; a little less, since items are
  // taken as divisible.
  int64_t CostUntil(const FairItem& item) const;

  size_t size() const { return items_.size(); }

 private:
  struct Stream {
    int64_t deficit = 0;
    int64_t cost = 0;
    // By kind; none is empty.
    std::map<int, std::deque<uint64_t>> queues;
  };
  struct Run {
    int64_t weight = 1;
    int64_t deficit = 0;
    int64_t cost = 0;
    // The stream served last.
    uint64_t last = 0;
    std::map<uint64_t, Stream> streams;
  };
  struct Waiting {
    FairItem item;
    // Order of arrival.
    uint64_t sequence = 0;
  };

  const Waiting* Oldest(const Stream& stream, Accept accept) const;
  const Waiting* NextOfRun(Run& run, Accept accept);

  uint64_t sequence_ = 0;
  // The run served last.
  uint64_t last_ = 0;
  std::map<uint64_t, Run> runs_;
  std::unordered_map<uint64_t, Waiting> items_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_BATCHING_FAIR_QUEUE_H_
