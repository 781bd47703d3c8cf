#include "common/lifecycle/shutdown_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>
#include <utility>

namespace distill {
namespace {

// Whether whoever started this process wants it to outlive a hangup, as nohup does.
bool OutlivesHangup() {
  struct sigaction action{};
  return sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (!OutlivesHangup()) sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGUSR2);  // ends the listening thread
  return signals;
}

const char* NameOf(int signal) {
  return signal == SIGTERM ? "SIGTERM" : signal == SIGHUP ? "SIGHUP" : "SIGINT";
}

}  // namespace

// Waits for signals on a thread of its own, where locks and allocation are safe.
class ShutdownSignal::Listener {
 public:
  explicit Listener(ShutdownSignal* owner) : owner_(owner) {
    const sigset_t signals = StopSignals();
    pthread_sigmask(SIG_BLOCK, &signals, &previous_);
    thread_ = std::thread([this] { Listen(); });
  }

  ~Listener() {
    pthread_kill(thread_.native_handle(), SIGUSR2);
    thread_.join();
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }

 private:
  void Listen() {
    const sigset_t signals = StopSignals();
    bool signalled = false;
    for (int number = 0; sigwait(&signals, &number) == 0;) {
      if (number == SIGUSR2) return;
      // A shell repeats the kernel's hangup: nobody insists.
      if (signalled && number == SIGHUP) continue;
      if (signalled) _exit(128 + number);
      signalled = true;
      owner_->Request(NameOf(number));
    }
  }

  ShutdownSignal* const owner_;
  sigset_t previous_;
  std::thread thread_;
};

ShutdownSignal::ShutdownSignal() : listener_(std::make_unique<Listener>(this)) {
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

ShutdownSignal::~ShutdownSignal() = default;

void ShutdownSignal::Request(const std::string& reason, const absl::Status& failure) {
  absl::MutexLock running(&callback_mu_);
  std::function<void()> callback;
  {
    absl::MutexLock lock(&mu_);
    if (!reason_.empty()) return;
    reason_ = reason;
    failure_ = failure;
    callback = std::move(callback_);
    requested_.Notify();
  }
  if (callback) callback();
}

void ShutdownSignal::Wait() { requested_.WaitForNotification(); }

bool ShutdownSignal::WaitFor(absl::Duration time) {
  return requested_.WaitForNotificationWithTimeout(time);
}

bool ShutdownSignal::requested() const { return requested_.HasBeenNotified(); }

std::string ShutdownSignal::reason() const {
  absl::MutexLock lock(&mu_);
  return reason_;
}

absl::Status ShutdownSignal::failure() const {
  absl::MutexLock lock(&mu_);
  return failure_;
}

void ShutdownSignal::OnRequest(std::function<void()> callback) {
  absl::MutexLock running(&callback_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (reason_.empty()) {
      callback_ = std::move(callback);
      return;
    }
  }
  if (callback) callback();
}

}  // namespace distill
