#include "coordinator/service/decisions/rendezvous.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

absl::Status NoWorld(const Rendezvous::Scope& scope) {
  return absl::AbortedError(absl::StrCat("run \"", scope.first, "\" has no world of generation ",
                                         scope.second, ": leave the run"));
}

}  // namespace

void Rendezvous::SetWorlds(const std::set<Scope>& worlds) {
  Answers answers;
  {
    absl::MutexLock lock(&mu_);
    for (auto it = worlds_.begin(); it != worlds_.end();) {
      if (worlds.count(it->first)) {
        ++it;
        continue;
      }
      for (auto& [id, waiter] : it->second.waiters) {
        answers.emplace_back(std::move(waiter.done), NoWorld(it->first));
      }
      it = worlds_.erase(it);
    }
    for (const Scope& scope : worlds) worlds_[scope];
  }
  for (auto& [done, values] : answers) done(std::move(values));
}

absl::StatusOr<Rendezvous::World*> Rendezvous::Find(const Scope& scope) {
  const auto it = worlds_.find(scope);
  if (it == worlds_.end()) return NoWorld(scope);
  return &it->second;
}

absl::Status Rendezvous::Store(World& world, const std::string& key, std::string value) {
  const auto it = world.values.find(key);
  const size_t former = it == world.values.end() ? 0 : key.size() + it->second.size();
  const size_t bytes = world.bytes - former + key.size() + value.size();
  if (bytes > kMaxBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "rendezvous key \"", key, "\": the world's store is full (", kMaxBytes, " bytes)"));
  }
  world.bytes = bytes;
  world.values[key] = std::move(value);
  return absl::OkStatus();
}

bool Rendezvous::Lookup(const World& world, const std::vector<std::string>& keys,
                        std::vector<std::string>& values) {
  values.clear();
  for (const std::string& key : keys) {
    const auto it = world.values.find(key);
    if (it == world.values.end()) return false;
    values.push_back(it->second);
  }
  return true;
}

void Rendezvous::Collect(World& world, Answers& answers) {
  for (auto it = world.waiters.begin(); it != world.waiters.end();) {
    std::vector<std::string> values;
    if (!Lookup(world, it->second.keys, values)) {
      ++it;
      continue;
    }
    answers.emplace_back(std::move(it->second.done), std::move(values));
    it = world.waiters.erase(it);
  }
}

absl::Status Rendezvous::Set(const Scope& scope, const std::string& key, std::string value) {
  Answers answers;
  {
    absl::MutexLock lock(&mu_);
    absl::StatusOr<World*> world = Find(scope);
    if (!world.ok()) return world.status();
    absl::Status status = Store(**world, key, std::move(value));
    if (!status.ok()) return status;
    Collect(**world, answers);
  }
  for (auto& [done, values] : answers) done(std::move(values));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Rendezvous::Add(const Scope& scope, const std::string& key,
                                        int64_t amount) {
  Answers answers;
  int64_t value = 0;
  {
    absl::MutexLock lock(&mu_);
    absl::StatusOr<World*> world = Find(scope);
    if (!world.ok()) return world.status();
    const auto it = (*world)->values.find(key);
    if (it != (*world)->values.end() && !absl::SimpleAtoi(it->second, &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("rendezvous key \"", key, "\" holds no integer to add to"));
    }
    if (__builtin_add_overflow(value, amount, &value)) {
      return absl::InvalidArgumentError(absl::StrCat("rendezvous key \"", key, "\" overflows"));
    }
    absl::Status status = Store(**world, key, absl::StrCat(value));
    if (!status.ok()) return status;
    Collect(**world, answers);
  }
  for (auto& [done, values] : answers) done(std::move(values));
  return value;
}

uint64_t Rendezvous::Get(const Scope& scope, std::vector<std::string> keys, Done done) {
  Values answer = std::vector<std::string>();
  {
    absl::MutexLock lock(&mu_);
    absl::StatusOr<World*> world = Find(scope);
    if (!world.ok()) {
      answer = world.status();
    } else if (!Lookup(**world, keys, *answer)) {
      if ((*world)->waiters.size() < kMaxWaiters) {
        (*world)->waiters[++last_waiter_] = {std::move(keys), std::move(done)};
        return last_waiter_;
      }
      answer = absl::ResourceExhaustedError(
          absl::StrCat("rendezvous: ", kMaxWaiters, " calls wait already"));
    }
  }
  done(std::move(answer));
  return 0;
}

void Rendezvous::Cancel(uint64_t waiter) {
  Done done;
  {
    absl::MutexLock lock(&mu_);
    for (auto& [scope, world] : worlds_) {
      const auto it = world.waiters.find(waiter);
      if (it == world.waiters.end()) continue;
      done = std::move(it->second.done);
      world.waiters.erase(it);
      break;
    }
  }
  if (done) done(absl::DeadlineExceededError("rendezvous: not every key was set in time"));
}

}  // namespace distill
