// Built into tests under --config=tsan. Debian's Abseil is not instrumented, so
// TSan would not see that absl::Mutex orders anything. These definitions come
// before those of libabsl_synchronization.so for every caller, that library's
// own Barrier and gRPC included: they call the library's function and tell TSan
// of the order that it made. Not covered, for want of a user: BlockingCounter.
//
// One clock per mutex: whoever locks it comes after all who unlocked it before.
// That is exact for exclusive locks. Two readers are ordered too, so a write
// under a reader lock is not reported against another reader.
//
// The other locking functions call the private ones here through the library's
// jump table; tools/tsan_absl_mutex_test.cc sees it if an update changes that.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <atomic>

#include "absl/base/internal/raw_logging.h"
#include "absl/synchronization/internal/kernel_timeout.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace {

using absl::synchronization_internal::KernelTimeout;

// The library's function of this name. Called before static initializers have
// run, so it is constant-initialized; relaxed, so it orders no callers.
template <typename Function>
class Next {
 public:
  explicit constexpr Next(const char* name) : name_(name) {}

  Function get() {
    Function function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name_));
      if (function == nullptr) {
        ABSL_RAW_LOG(FATAL, "no %s in the shared libraries: adapt the names here to Abseil's",
                     name_);
      }
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }

 private:
  const char* name_;
  std::atomic<Function> function_{nullptr};
};

#define MUTEX "_ZN4absl7debian35Mutex"
#define NOTIFICATION "4absl7debian312Notification"
#define TIMEOUT "NS0_24synchronization_internal13KernelTimeoutE"

constinit Next<void (*)(absl::Mutex*)> next_destroy(MUTEX "D1Ev");
constinit Next<void (*)(absl::Mutex*)> next_lock(MUTEX "4LockEv");
constinit Next<void (*)(absl::Mutex*)> next_unlock(MUTEX "6UnlockEv");
constinit Next<bool (*)(absl::Mutex*)> next_try_lock(MUTEX "7TryLockEv");
constinit Next<void (*)(absl::Mutex*)> next_reader_lock(MUTEX "10ReaderLockEv");
constinit Next<void (*)(absl::Mutex*)> next_reader_unlock(MUTEX "12ReaderUnlockEv");
constinit Next<bool (*)(absl::Mutex*)> next_reader_try_lock(MUTEX "13ReaderTryLockEv");
constinit Next<bool (*)(absl::Mutex*, const absl::Condition&, KernelTimeout)> next_await(
    MUTEX "11AwaitCommonERKNS0_9ConditionE" TIMEOUT);
constinit Next<bool (*)(absl::Mutex*, absl::Mutex::MuHow, const absl::Condition*, KernelTimeout,
                        int)>
    next_lock_when(MUTEX "20LockSlowWithDeadlineEPKNS0_6MuHowSEPKNS0_9ConditionE" TIMEOUT "i");
constinit Next<bool (*)(absl::CondVar*, absl::Mutex*, KernelTimeout)> next_cond_var_wait(
    "_ZN4absl7debian37CondVar10WaitCommonEPNS0_5MutexE" TIMEOUT);

constinit Next<void (*)(absl::Notification*)> next_notify("_ZN" NOTIFICATION "6NotifyEv");
constinit Next<void (*)(const absl::Notification*)> next_wait("_ZNK" NOTIFICATION
                                                              "19WaitForNotificationEv");
constinit Next<bool (*)(const absl::Notification*, absl::Duration)> next_wait_timeout(
    "_ZNK" NOTIFICATION "30WaitForNotificationWithTimeoutENS0_8DurationE");
constinit Next<bool (*)(const absl::Notification*, absl::Time)> next_wait_deadline(
    "_ZNK" NOTIFICATION "31WaitForNotificationWithDeadlineENS0_4TimeE");

// A waiter's condition is also evaluated by other threads, inside their Unlock:
// they hold the mutex, but have told TSan that they released it. They
// also read what the waiter wrote to its stack: one in LockWhen, which has not
// released the mutex, releases this object instead.
struct HeldCondition {
  absl::Mutex* mutex;
  const absl::Condition* condition;
};

bool EvaluateHeld(void* argument) {
  const auto* held = static_cast<const HeldCondition*>(argument);
  __tsan_acquire(argument);
  absl::Mutex* const mutex = held->mutex;
  __tsan_acquire(mutex);
  const bool result = held->condition->Eval();
  __tsan_release(mutex);
  return result;
}

}  // namespace

absl::Mutex::~Mutex() {
  next_destroy.get()(this);
  // The constructor, which is inline, made it known.
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
}

void absl::Mutex::Lock() {
  next_lock.get()(this);
  __tsan_acquire(this);
}

void absl::Mutex::Unlock() {
  __tsan_release(this);
  next_unlock.get()(this);
}

bool absl::Mutex::TryLock() {
  const bool locked = next_try_lock.get()(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void absl::Mutex::ReaderLock() {
  next_reader_lock.get()(this);
  __tsan_acquire(this);
}

void absl::Mutex::ReaderUnlock() {
  __tsan_release(this);
  next_reader_unlock.get()(this);
}

bool absl::Mutex::ReaderTryLock() {
  const bool locked = next_reader_try_lock.get()(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

// Behind all of Await*, which evaluate the condition first, under the lock.
bool absl::Mutex::AwaitCommon(const Condition& condition, KernelTimeout timeout) {
  HeldCondition held{this, &condition};
  __tsan_release(this);
  const bool result = next_await.get()(this, Condition(&EvaluateHeld, &held), timeout);
  __tsan_acquire(this);
  return result;
}

// Behind all of LockWhen* and ReaderLockWhen*.
bool absl::Mutex::LockSlowWithDeadline(MuHow how, const Condition* condition, KernelTimeout timeout,
                                       int flags) {
  HeldCondition held{this, condition};
  __tsan_release(&held);
  const Condition wrapped(&EvaluateHeld, &held);
  const bool result =
      next_lock_when.get()(this, how, condition == nullptr ? nullptr : &wrapped, timeout, flags);
  __tsan_acquire(this);
  return result;
}

// Behind all of Wait*.
bool absl::CondVar::WaitCommon(Mutex* mutex, KernelTimeout timeout) {
  __tsan_release(mutex);
  const bool result = next_cond_var_wait.get()(this, mutex, timeout);
  __tsan_acquire(mutex);
  return result;
}

// Waiting for what has been notified does not lock. The address is that of the
// atomic that HasBeenNotified, which is inline and instrumented, reads.
void absl::Notification::Notify() {
  __tsan_release(&notified_yet_);
  next_notify.get()(this);
}

void absl::Notification::WaitForNotification() const {
  next_wait.get()(this);
  __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
}

bool absl::Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  const bool notified = next_wait_timeout.get()(this, timeout);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

bool absl::Notification::WaitForNotificationWithDeadline(Time deadline) const {
  const bool notified = next_wait_deadline.get()(this, deadline);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}
