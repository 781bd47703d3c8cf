#include "teacher_server/service/cached_rows.h"

#include "absl/base/internal/raw_logging.h"

namespace distill {

CachedRows::CachedRows(LabelCache* cache, std::function<uint64_t()> new_id,
                       std::function<void(absl::AnyInvocable<void()>)> post)
    : cache_(cache), clears_(cache->clears()), new_id_(std::move(new_id)), post_(std::move(post)) {}

LabelKey CachedRows::KeyOf(const Wanted& wanted, size_t cell) {
  const size_t row = cell % wanted.examples.size();
  return {wanted.scopes[cell / wanted.examples.size()], wanted.examples[row],
          wanted.view_seeds[row]};
}

void CachedRows::Start(uint64_t id, const Wanted& wanted) {
  ABSL_RAW_CHECK(wanted.examples.size() == wanted.view_seeds.size(), "a seed for each example");
  Ask& ask = asks_[id];
  ask.wanted = wanted;
  ask.rows.resize(wanted.scopes.size() * wanted.examples.size());
  const uint64_t from = new_id_();
  std::vector<LabelKey> unknown;
  for (size_t cell = 0; cell < ask.rows.size(); ++cell) {
    const LabelKey key = KeyOf(wanted, cell);
    ask.rows[cell] = cache_->Find(key);
    if (ask.rows[cell] != nullptr) continue;
    ++ask.missing;
    const auto [source, is_new] = sources_.try_emplace(key);
    if (is_new) {
      source->second.from = from;
      unknown.push_back(key);
    }
    source->second.waiting.push_back({id, cell});
  }
  if (ask.missing == 0) {
    ready_.push_back({id, std::move(ask.rows)});
    asks_.erase(id);
  }
  if (unknown.empty()) return;
  const bool searched = cache_->FindOnDisk(unknown, [weak = weak_from_this(), post = post_, from,
                                                     unknown](std::vector<LabelRow> rows) mutable {
    post([weak = std::move(weak), from, keys = std::move(unknown), rows = std::move(rows)] {
      if (const auto self = weak.lock()) self->Found(from, keys, rows);
    });
  });
  if (!searched) Launch(id, unknown);
}

void CachedRows::Found(uint64_t search, const std::vector<LabelKey>& keys,
                       const std::vector<LabelRow>& rows) {
  std::vector<LabelKey> absent;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (rows[i] == nullptr || !Fills()) {
      absent.push_back(keys[i]);
      continue;
    }
    cache_->Remember({keys[i], rows[i]});
    Deliver(keys[i], rows[i]);
  }
  AskAnew(search, absent);
}

void CachedRows::Launch(uint64_t ask, const std::vector<LabelKey>& keys) {
  const uint64_t id = new_id_();
  asks_.at(ask).flights.push_back(id);
  const std::vector<LabelScope>& scopes = asks_.at(ask).wanted.scopes;
  Flight flight{id, ask, {}, {}};
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, bool> taken;
  for (const LabelKey& key : keys) {
    sources_.at(key).from = id;
    if (!taken.emplace(std::pair(key.example, key.view_seed), true).second) continue;
    flight.examples.push_back(key.example);
    flight.view_seeds.push_back(key.view_seed);
  }
  FlightState& state = flights_[id];
  state.ask = ask;
  for (const LabelScope& scope : scopes) {
    for (size_t row = 0; row < flight.examples.size(); ++row) {
      state.keys.push_back({scope, flight.examples[row], flight.view_seeds[row]});
    }
  }
  new_flights_.push_back(std::move(flight));
}

void CachedRows::Deliver(const LabelKey& key, const LabelRow& row) {
  const auto node = sources_.find(key);
  if (node == sources_.end()) return;
  const Source source = std::move(node->second);
  sources_.erase(node);
  for (const auto& [id, cell] : source.waiting) {
    Ask& ask = asks_.at(id);
    ask.rows[cell] = row;
    if (--ask.missing > 0) continue;
    ready_.push_back({id, std::move(ask.rows)});
    asks_.erase(id);
  }
}

void CachedRows::AskAnew(uint64_t from, const std::vector<LabelKey>& keys) {
  std::map<uint64_t, std::vector<LabelKey>> by_ask;
  for (const LabelKey& key : keys) {
    const auto source = sources_.find(key);
    if (source == sources_.end() || source->second.from != from) continue;
    if (source->second.waiting.empty()) {
      sources_.erase(source);
    } else {
      by_ask[source->second.waiting.front().first].push_back(key);
    }
  }
  for (const auto& [ask, missed] : by_ask) Launch(ask, missed);
}

void CachedRows::Computed(uint64_t id, const std::vector<LabelRow>& rows) {
  const auto node = flights_.extract(id);
  const std::vector<LabelKey>& keys = node.mapped().keys;
  ABSL_RAW_CHECK(rows.size() == keys.size(), "a flight has one row for each of its keys");
  std::vector<KeyedRow> computed;
  computed.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    Deliver(keys[i], rows[i]);
    computed.push_back({keys[i], rows[i]});
  }
  if (Fills()) cache_->Add(std::move(computed));
}

std::vector<uint64_t> CachedRows::Failed(uint64_t id) {
  const auto node = flights_.extract(id);
  std::vector<uint64_t> flights = Forget(node.mapped().ask);
  AskAnew(id, node.mapped().keys);
  KeepUnawaited(flights);
  return flights;
}

std::vector<uint64_t> CachedRows::Abandon(uint64_t ask) {
  std::vector<uint64_t> flights = Forget(ask);
  KeepUnawaited(flights);
  return flights;
}

void CachedRows::KeepUnawaited(std::vector<uint64_t>& flights) const {
  std::erase_if(flights, [this](uint64_t id) { return !flights_.contains(id) || Awaited(id); });
}

std::vector<uint64_t> CachedRows::Forget(uint64_t id) {
  const auto node = asks_.extract(id);
  if (node.empty()) return {};
  Ask& ask = node.mapped();
  for (size_t cell = 0; cell < ask.rows.size(); ++cell) {
    if (ask.rows[cell] != nullptr) continue;
    auto& waiting = sources_.at(KeyOf(ask.wanted, cell)).waiting;
    std::erase(waiting, std::pair(id, cell));
  }
  return std::move(ask.flights);
}

bool CachedRows::Awaited(uint64_t id) const {
  const auto flight = flights_.find(id);
  if (flight == flights_.end()) return false;
  for (const LabelKey& key : flight->second.keys) {
    const auto source = sources_.find(key);
    if (source != sources_.end() && source->second.from == id && !source->second.waiting.empty()) {
      return true;
    }
  }
  return false;
}

}  // namespace distill
