// Bytes that all streams of a server may hold, and who holds them.
#ifndef TEACHER_SERVER_LABEL_STREAM_MEMORY_LEDGER_H_
#define TEACHER_SERVER_LABEL_STREAM_MEMORY_LEDGER_H_

#include <atomic>
#include <cstdint>
#include <memory>

namespace distill {

// Thread-safe. Accounts and holds may outlive it.
//
//   MemoryLedger ledger(1 << 30);
//   auto account = ledger.Open();              // per stream
//   auto hold = account->TryHold(bytes);       // null: refuse the work
//   hold.reset();                              // or with its last copy
//
// An account may hold as much as it leaves free, so those that never give back cannot
// take all: beside n of them a new account still gets 1 / (n + 1) of the limit.
class MemoryLedger {
  struct Total;

 public:
  class Account : public std::enable_shared_from_this<Account> {
   public:
    explicit Account(std::shared_ptr<Total> total) : total_(std::move(total)) {}
    // Null when that would be too much. The bound is exact where one thread calls
    // this and Hold for all accounts.
    std::shared_ptr<const void> TryHold(uint64_t bytes);
    // Whatever the limit: for what is there already.
    std::shared_ptr<const void> Hold(uint64_t bytes);
    uint64_t held() const { return held_.load(); }

   private:
    const std::shared_ptr<Total> total_;
    std::atomic<uint64_t> held_{0};
  };

  explicit MemoryLedger(uint64_t limit) : total_(std::make_shared<Total>(limit)) {}

  std::shared_ptr<Account> Open() { return std::make_shared<Account>(total_); }
  uint64_t held() const { return total_->held.load(); }
  uint64_t limit() const { return total_->limit; }

 private:
  struct Total {
    explicit Total(uint64_t limit) : limit(limit) {}
    const uint64_t limit;
    std::atomic<uint64_t> held{0};
  };
  const std::shared_ptr<Total> total_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_LABEL_STREAM_MEMORY_LEDGER_H_
