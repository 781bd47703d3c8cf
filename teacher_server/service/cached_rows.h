// Which rows of an ask the cache has, which another ask is having computed, and which are
// still to be computed.
#ifndef TEACHER_SERVER_SERVICE_CACHED_ROWS_H_
#define TEACHER_SERVER_SERVICE_CACHED_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/cache/label_key.h"

namespace distill {

// Single flight: a row that several asks miss is searched for and computed once, in the
// flight of the ask that missed it first. When that flight fails or is given up, the
// rows that others wait for go into a flight of the next of them, so that each ask fails
// for reasons of its own only.
//
// Once the cache has been cleared, no row from here goes there, nor any from its disk to an ask:
// they may be as wrong as what it was cleared of.
//
// Confined to one thread. After every call take the flights and compute them, and take the
// asks that are ready. Held by a shared_ptr: a disk search that comes back too late
// finds nobody.
//
//   rows->Start(ask, {scopes, examples, view_seeds});
//   for (auto& flight : rows->TakeFlights()) ...   // later: Computed or Failed
//   for (auto& ready : rows->TakeReady()) ...
class CachedRows : public std::enable_shared_from_this<CachedRows> {
 public:
  // One scope for each output; as many view seeds as examples.
  struct Wanted {
    std::vector<LabelScope> scopes;
    std::vector<uint64_t> examples;
    std::vector<uint64_t> view_seeds;
  };
  // Rows to compute for an ask, all its outputs. No example comes twice in one view.
  struct Flight {
    uint64_t id = 0;
    uint64_t ask = 0;
    std::vector<uint64_t> examples;
    std::vector<uint64_t> view_seeds;
  };
  // All that an ask wanted: `rows[output * examples + example]`.
  struct Ready {
    uint64_t ask = 0;
    std::vector<LabelRow> rows;
  };

  // `new_id` numbers flights. `post` runs an event on the thread of this object; it is
  // called from the disk's. The cache outlives the object.
  CachedRows(LabelCache* cache, std::function<uint64_t()> new_id,
             std::function<void(absl::AnyInvocable<void()>)> post);

  // An ask that is new.
  void Start(uint64_t ask, const Wanted& wanted);

  // Nobody waits for the ask any more. Flights that nobody waits for now: Failed each of
  // them that need not be computed.
  std::vector<uint64_t> Abandon(uint64_t ask);

  // The outcome of a flight: `rows[output * examples + example]`, which passed
  // CheckTeacherLogits; or none. A failure ends the flight's ask too; its other flights that
  // nobody waits for now are returned, as by Abandon.
  void Computed(uint64_t flight, const std::vector<LabelRow>& rows);
  std::vector<uint64_t> Failed(uint64_t flight);

  // Whether an ask waits for a row of the flight.
  bool Awaited(uint64_t flight) const;

  std::vector<Flight> TakeFlights() { return std::exchange(new_flights_, {}); }
  std::vector<Ready> TakeReady() { return std::exchange(ready_, {}); }

  // Asks that wait, and rows that are being searched or computed.
  size_t asks() const { return asks_.size(); }
  size_t sources() const { return sources_.size(); }

 private:
  struct Ask {
    Wanted wanted;
    std::vector<LabelRow> rows;
    size_t missing = 0;
    std::vector<uint64_t> flights;
  };
  // Where a row will come from, and the cells of asks that it goes to.
  struct Source {
    // A flight or a search.
    uint64_t from = 0;
    std::vector<std::pair<uint64_t, size_t>> waiting;
  };
  struct FlightState {
    uint64_t ask = 0;
    std::vector<LabelKey> keys;
  };

  static LabelKey KeyOf(const Wanted& wanted, size_t cell);
  void Launch(uint64_t ask, const std::vector<LabelKey>& keys);
  void Found(uint64_t search, const std::vector<LabelKey>& keys, const std::vector<LabelRow>& rows);
  void Deliver(const LabelKey& key, const LabelRow& row);
  // Those of the keys that were expected `from` there will not come.
  void AskAnew(uint64_t from, const std::vector<LabelKey>& keys);
  // The flights it had.
  std::vector<uint64_t> Forget(uint64_t ask);
  void KeepUnawaited(std::vector<uint64_t>& flights) const;

  // Whether the cache still takes rows from here.
  bool Fills() const { return cache_->clears() == clears_; }

  LabelCache* const cache_;
  // Of the cache, at first.
  const uint64_t clears_;
  const std::function<uint64_t()> new_id_;
  const std::function<void(absl::AnyInvocable<void()>)> post_;
  std::map<uint64_t, Ask> asks_;
  absl::flat_hash_map<LabelKey, Source> sources_;
  std::map<uint64_t, FlightState> flights_;
  std::vector<Flight> new_flights_;
  std::vector<Ready> ready_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_CACHED_ROWS_H_
