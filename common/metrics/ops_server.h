// The plain HTTP port of a process: what Prometheus scrapes and Kubernetes probes.
// It carries no data and takes no orders, and has neither TLS nor authentication:
// bind it to loopback or to a network that only monitoring reaches.
#ifndef COMMON_METRICS_OPS_SERVER_H_
#define COMMON_METRICS_OPS_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metric_registry.h"

struct mg_connection;
struct mg_context;

namespace distill {

struct OpsServerOptions {
  // IPv4 address and port; port 0 takes a free one, 0.0.0.0 all interfaces.
  std::string listen = "127.0.0.1:0";
  MetricRegistry* registry = nullptr;  // not owned, outlives the server; required
  // Asked on the server's threads, two at once; must not block. Empty: always OK.
  std::function<absl::Status()> healthy{};  // false restarts the process: its loops turn
  std::function<absl::Status()> ready{};    // false takes it out of service for a while
};

// Thread-safe. GET and HEAD of
//   /metrics            the registry's page
//   /healthz, /readyz   200 "ok", or 503 and the message of the status
// 404 for another path; 405 for another method on one of these (400 where HTTP does
// not know it). Two threads; a connection carries one request, within 2 s.
class OpsServer {
 public:
  // Serves when it returns. INVALID_ARGUMENT: `listen` is not of that form.
  // ALREADY_EXISTS: the address cannot be bound (in use, not ours, a port below 1024).
  // Both say what to change. Ignores SIGPIPE in the whole process, as CivetWeb does.
  static absl::StatusOr<std::unique_ptr<OpsServer>> Start(const OpsServerOptions& options);
  // Waits for requests in progress.
  ~OpsServer();
  OpsServer(const OpsServer&) = delete;
  OpsServer& operator=(const OpsServer&) = delete;

  // "127.0.0.1:43121", with the port that was bound.
  std::string address() const { return address_; }

 private:
  explicit OpsServer(const OpsServerOptions& options) : options_(options) {}

  static int OnRequest(mg_connection* connection);
  static int OnLog(const mg_connection* connection, const char* message);
  absl::Status Listen();
  void Answer(mg_connection* connection, std::string_view path, std::string_view method);

  const OpsServerOptions options_;
  std::string address_;            // set by Start
  mg_context* context_ = nullptr;  // owned; set by Start
  absl::Mutex mu_;
  std::string first_log_ ABSL_GUARDED_BY(mu_);  // CivetWeb's reason when Start fails
};

}  // namespace distill

#endif  // COMMON_METRICS_OPS_SERVER_H_
