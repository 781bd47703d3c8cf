#include "common/metrics/ops_server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";

absl::StatusOr<sockaddr_in> ParseListen(const std::string& listen) {
  const absl::Status malformed =
      WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                      "cannot serve metrics and health on '", listen,
                      "': give --ops-listen an IPv4 address and a port, such as 127.0.0.1:9100, "
                      "0.0.0.0:9100 for all interfaces, or 127.0.0.1:0 for a free port")),
                  ErrorId::kBadAddress);
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return malformed;
  const std::string digits = listen.substr(colon + 1);
  int port = 0;
  if (!std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return malformed;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, listen.substr(0, colon).c_str(), &address.sin_addr) != 1) return malformed;
  return address;
}

// CivetWeb looks at its stop flag when a connection arrives, or every 2 s.
void Wake(const std::string& address) {
  const absl::StatusOr<sockaddr_in> to = ParseListen(address);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // NOLINTNEXTLINE(bugprone-unused-return-value): where it fails, the flag is read 2 s later.
  connect(fd, reinterpret_cast<const sockaddr*>(&*to), sizeof(*to));
  close(fd);
}

void Reply(mg_connection* connection, std::string_view status, std::string_view type,
           std::string_view body, bool with_body) {
  const std::string message =
      absl::StrCat("HTTP/1.1 ", std::string(status), "\r\nContent-Type: ", std::string(type),
                   "\r\nContent-Length: ", body.size(),
                   "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                   std::string(with_body ? body : std::string_view()));
  mg_write(connection, message.data(), message.size());
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpsServer>> OpsServer::Start(const OpsServerOptions& options) {
  ABSL_RAW_CHECK(options.registry != nullptr, "OpsServerOptions::registry is required");
  std::unique_ptr<OpsServer> server(new OpsServer(options));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status OpsServer::Listen() {
  RETURN_IF_ERROR(ParseListen(options_.listen).status());
  static const unsigned kNoFeatures = mg_init_library(MG_FEATURES_DEFAULT);
  static_cast<void>(kNoFeatures);
  mg_callbacks callbacks{};
  callbacks.begin_request = &OpsServer::OnRequest;
  callbacks.log_message = &OpsServer::OnLog;
  // No document root: CivetWeb serves no file. No keep-alive: an idle connection
  // would hold one of the two threads.
  const char* options[] = {"listening_ports",
                           options_.listen.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "2000",
                           "enable_keep_alive",
                           "no",
                           nullptr};
  context_ = mg_start(&callbacks, this, options);
  if (context_ == nullptr) {
    absl::MutexLock lock(&mu_);
    return WithErrorId(absl::AlreadyExistsError(absl::StrCat(
                           "cannot serve metrics and health on ", options_.listen, ": ", first_log_,
                           "; stop what uses it or give another address with --ops-listen")),
                       ErrorId::kPortTaken);
  }
  mg_server_port port{};
  ABSL_RAW_CHECK(mg_get_server_ports(context_, 1, &port) == 1, "CivetWeb serves no port");
  address_ = absl::StrCat(options_.listen.substr(0, options_.listen.rfind(':') + 1), port.port);
  return absl::OkStatus();
}

OpsServer::~OpsServer() {
  if (context_ == nullptr) return;
  absl::Notification stopped;
  std::thread stopper([this, &stopped] {
    mg_stop(context_);
    stopped.Notify();
  });
  // More than once, since the first may come before the flag is set.
  while (!stopped.WaitForNotificationWithTimeout(absl::Milliseconds(10))) Wake(address_);
  stopper.join();
}

int OpsServer::OnLog(const mg_connection* connection, const char* message) {
  const mg_context* context = connection == nullptr ? nullptr : mg_get_context(connection);
  if (context != nullptr) {
    auto* server = static_cast<OpsServer*>(mg_get_user_data(context));
    absl::MutexLock lock(&server->mu_);
    if (server->first_log_.empty()) server->first_log_ = message;
  }
  return 1;  // Not to stderr: a scanner's bad requests are no news.
}

int OpsServer::OnRequest(mg_connection* connection) {
  const mg_request_info* info = mg_get_request_info(connection);
  static_cast<OpsServer*>(info->user_data)
      ->Answer(connection, info->local_uri == nullptr ? "" : info->local_uri, info->request_method);
  return 1;  // Answered, whatever it was: CivetWeb does nothing of its own.
}

void OpsServer::Answer(mg_connection* connection, std::string_view path, std::string_view method) {
  const bool head = method == "HEAD";
  if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
    Reply(connection, "404 Not Found", kText, "not found; there are /metrics, /healthz, /readyz",
          !head);
    return;
  }
  if (!head && method != "GET") {
    Reply(connection, "405 Method Not Allowed\r\nAllow: GET, HEAD", kText, "only GET and HEAD",
          true);
    return;
  }
  if (path == "/metrics") {
    Reply(connection, "200 OK", kMetricsText, options_.registry->Serialize(), !head);
    return;
  }
  const auto& check = path == "/healthz" ? options_.healthy : options_.ready;
  const absl::Status status = check ? check() : absl::OkStatus();
  const absl::string_view message = status.message();
  Reply(connection, status.ok() ? "200 OK" : "503 Service Unavailable", kText,
        status.ok() ? "ok" : std::string_view(message.data(), message.size()), !head);
}

}  // namespace distill
