#include "student_worker/collectives/fake_key_value_store.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

absl::Status Ended() { return absl::AbortedError("the generation has ended"); }

}  // namespace

absl::Status FakeKeyValueStore::Set(const std::string& key, const std::string& value) {
  absl::MutexLock lock(&mu_);
  if (ended_) return Ended();
  values_[key] = value;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FakeKeyValueStore::Get(
    const std::vector<std::string>& keys, absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (ended_) return true;
    for (const std::string& key : keys) {
      if (!values_.contains(key)) return false;
    }
    return true;
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&ready), timeout)) {
    return absl::DeadlineExceededError(absl::StrCat("no value for ", keys.front()));
  }
  if (ended_) return Ended();
  std::vector<std::string> values;
  for (const std::string& key : keys) values.push_back(values_[key]);
  return values;
}

absl::StatusOr<int64_t> FakeKeyValueStore::Add(const std::string& key, int64_t amount) {
  absl::MutexLock lock(&mu_);
  if (ended_) return Ended();
  int64_t value = 0;
  if (auto it = values_.find(key); it != values_.end() && !absl::SimpleAtoi(it->second, &value)) {
    return absl::FailedPreconditionError(absl::StrCat(key, " does not hold an integer"));
  }
  value += amount;
  values_[key] = absl::StrCat(value);
  return value;
}

void FakeKeyValueStore::EndGeneration() {
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

}  // namespace distill
