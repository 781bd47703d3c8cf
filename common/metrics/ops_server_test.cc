#include "common/metrics/ops_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

int Port(const OpsServer& server) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(server.address().substr(server.address().rfind(':') + 1), &port));
  return port;
}

// A connection to loopback; receives fail after 10 s.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  return fd;
}

// All that comes until the server closes.
std::string ReadAll(int fd) {
  std::string all;
  char buffer[4096];
  ssize_t n;
  while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) all.append(buffer, n);
  close(fd);
  return all;
}

std::string Exchange(int port, const std::string& request) {
  const int fd = Connect(port);
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  return ReadAll(fd);
}

std::string Ask(const OpsServer& server, const std::string& method, const std::string& path) {
  return Exchange(Port(server), absl::StrCat(method, " ", path,
                                             " HTTP/1.1\r\nHost: teacher-0.teachers.svc:9100\r\n"
                                             "Content-Length: 0\r\n\r\n"));
}

std::string Body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

class OpsServerTest : public testing::Test {
 protected:
  std::unique_ptr<OpsServer> Start(OpsServerOptions options = {}) {
    options.registry = &registry_;
    auto server = OpsServer::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  MetricRegistry registry_;
};

TEST_F(OpsServerTest, MetricsAreTheRegistrysPageOfTheMoment) {
  Gauge* gauge = registry_.AddGauge(Metric::kTeacherQueueItems);
  auto server = Start();
  for (int value : {3, 4}) {
    gauge->Set(value);
    const std::string answer = Ask(*server, "GET", "/metrics?x=y");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer,
                HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("\ndistill_teacher_queue_items ", value, "\n")));
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("\r\nContent-Length: ", Body(answer).size())));
  }
}

TEST_F(OpsServerTest, ALargePageArrivesWhole) {
  for (int i = 0; i < 30000; ++i) {
    registry_.AddGauge(Metric::kStudentLearningRate, {{"run", absl::StrCat(i)}});
  }
  const std::string body = Body(Ask(*Start(), "GET", "/metrics"));
  EXPECT_GT(body.size(), 1u << 20);
  EXPECT_THAT(body, HasSubstr("\ndistill_student_learning_rate{run=\"29999\"} 0\n"));
}

TEST_F(OpsServerTest, ProbesSayOkOrWhyNot) {
  auto server = Start({.healthy = [] { return absl::InternalError("the loop is stuck"); },
                       .ready = [] { return absl::OkStatus(); }});
  const std::string sick = Ask(*server, "GET", "/healthz");
  EXPECT_THAT(sick, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(Body(sick), "the loop is stuck");
  const std::string ready = Ask(*server, "GET", "/readyz");
  EXPECT_THAT(ready, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(Body(ready), "ok");
}

TEST_F(OpsServerTest, HealthIsNotReadiness) {
  auto server = Start({.healthy = {}, .ready = [] { return absl::UnavailableError("loading"); }});
  EXPECT_EQ(Body(Ask(*server, "GET", "/healthz")), "ok");
  EXPECT_EQ(Body(Ask(*server, "GET", "/readyz")), "loading");
}

TEST_F(OpsServerTest, HeadHasTheHeadersOnly) {
  auto server = Start();
  const std::string answer = Ask(*server, "HEAD", "/healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 2\r\n"));
  EXPECT_EQ(Body(answer), "");
}

TEST_F(OpsServerTest, OtherPathsAreNotFound) {
  auto server = Start();
  for (const char* path : {"/", "/metrics/", "/metricsx", "/../etc/passwd", "/%2e%2e/etc/passwd"}) {
    EXPECT_THAT(Ask(*server, "GET", path), StartsWith("HTTP/1.1 404 Not Found\r\n")) << path;
  }
  EXPECT_THAT(Ask(*server, "POST", "/quit"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(OpsServerTest, OtherMethodsAreNotAllowed) {
  auto server = Start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    for (const char* path : {"/metrics", "/healthz", "/readyz"}) {
      const std::string answer = Ask(*server, method, path);
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"))
          << method << path;
    }
  }
  EXPECT_THAT(Ask(*server, "BREW", "/healthz"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(OpsServerTest, RubbishDoesNotStopIt) {
  auto server = Start();
  Exchange(Port(*server), std::string("\x16\x03\x01\x00\xff rubbish\r\n\r\n", 17));
  Exchange(Port(*server), std::string(100000, 'x'));
  close(Connect(Port(*server)));
  EXPECT_EQ(Body(Ask(*server, "GET", "/healthz")), "ok");
}

TEST_F(OpsServerTest, SilentConnectionsAreCutAndDoNotHoldUpProbesForEver) {
  auto server = Start();
  const std::vector<int> silent = {Connect(Port(*server)), Connect(Port(*server))};
  EXPECT_EQ(Body(Ask(*server, "GET", "/healthz")), "ok");
  for (int fd : silent) close(fd);
}

TEST_F(OpsServerTest, AddressHasTheBoundPort) {
  auto server = Start();
  EXPECT_THAT(server->address(), StartsWith("127.0.0.1:"));
  EXPECT_GT(Port(*server), 0);
  auto everywhere = Start({.listen = "0.0.0.0:0"});
  EXPECT_THAT(everywhere->address(), StartsWith("0.0.0.0:"));
  EXPECT_EQ(Body(Ask(*everywhere, "GET", "/healthz")), "ok");
}

TEST_F(OpsServerTest, AnAddressInUseSaysWhichAndWhatToDo) {
  auto server = Start();
  const std::string taken = server->address();
  const auto second = OpsServer::Start({.listen = taken, .registry = &registry_});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(taken));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("Address already in use"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--ops-listen"));
  server.reset();
  EXPECT_EQ(Start({.listen = taken})->address(), taken);
}

TEST_F(OpsServerTest, AnAddressOfAnotherMachineIsRefused) {
  const auto server = OpsServer::Start({.listen = "192.0.2.1:0", .registry = &registry_});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("Cannot assign"));
}

TEST_F(OpsServerTest, AMalformedAddressIsAnInvalidArgument) {
  for (const char* listen :
       {"", "9100", ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:1,127.0.0.1:2", "127.0.0.1:443s",
        "localhost:9100", "[::1]:0", "127.0.0.1:99999999999"}) {
    const auto server = OpsServer::Start({.listen = listen, .registry = &registry_});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << listen;
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("--ops-listen")) << listen;
  }
}

TEST_F(OpsServerTest, StoppingDoesNotWaitForCivetWebsPoll) {
  Start().reset();
  const absl::Time before = absl::Now();
  for (int i = 0; i < 10; ++i) Start().reset();
  // 20 s at worst, 10 s on average, if it did.
  EXPECT_LT(absl::Now() - before, absl::Seconds(5));
}

TEST_F(OpsServerTest, ManyMayAskAtOnceUntilItStops) {
  Counter* counter = registry_.AddCounter(Metric::kTeacherItems);
  auto server = Start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        counter->Add();
        EXPECT_THAT(Ask(*server, "GET", i % 2 ? "/metrics" : "/readyz"),
                    StartsWith("HTTP/1.1 200 OK\r\n"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Ask(*server, "GET", "/metrics"), HasSubstr("\ndistill_teacher_items_total 160\n"));
}

}  // namespace
}  // namespace distill
