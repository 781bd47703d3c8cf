#include "cli/process/process_runtime.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = ProcessRuntime::State;

class ProcessRuntimeTest : public ::testing::Test {
 protected:
  void Start(int ready_fd = -1) {
    ProcessFlags flags;
    flags.name = "teacher-0";
    flags.ready_fd = ready_fd;
    auto runtime = ProcessRuntime::Start(ProcessKind::kTeacherServer, flags);
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    runtime_ = *std::move(runtime);
  }

  // The whole answer to a GET; gives up after 10 s.
  std::string Get(const std::string& path) {
    const std::string& address = runtime_->ops_address();
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) << address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", address, "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) answer.append(buffer, n);
    close(fd);
    return answer;
  }

  std::unique_ptr<ProcessRuntime> runtime_;
};

TEST_F(ProcessRuntimeTest, IsReadyOnlyInTheStateReadyAndSaysWhyItIsNot) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("starting"));
  runtime_->SetState(State::kStarting, "loads the model");
  EXPECT_THAT(Get("/readyz"), HasSubstr("loads the model"));
  runtime_->SetState(State::kReady, "");
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  runtime_->SetState(State::kDraining, "SIGTERM");
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("SIGTERM"));
  runtime_->SetState(State::kFailed, "no coordinator");
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
}

TEST_F(ProcessRuntimeTest, IsHealthyInEveryState) {
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const State state : {State::kStarting, State::kReady, State::kDraining, State::kFailed}) {
    runtime_->SetState(state, "why");
    EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(ProcessRuntimeTest, TheStateHasOneSeriesEachOfWhichOneIsSet) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto series = [](const std::string& state, int value) {
    return HasSubstr(absl::StrCat("distill_state{state=\"", state, "\"} ", value, "\n"));
  };
  std::string page = Get("/metrics");
  EXPECT_THAT(page, series("starting", 1));
  EXPECT_THAT(page, series("ready", 0));
  EXPECT_THAT(page, series("draining", 0));
  EXPECT_THAT(page, series("failed", 0));
  runtime_->SetState(State::kDraining, "SIGTERM");
  page = Get("/metrics");
  EXPECT_THAT(page, series("starting", 0));
  EXPECT_THAT(page, series("draining", 1));
}

TEST_F(ProcessRuntimeTest, WhoeverStartedItReadsOneLineWithItsAddresses) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_NO_FATAL_FAILURE(Start(ends[1]));
  ASSERT_TRUE(runtime_->NotifyStarted("127.0.0.1:7001").ok());
  // The notice closes its end of the pipe, so reading ends.
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(ends[0], buffer, sizeof(buffer))) > 0) text.append(buffer, n);
  close(ends[0]);
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(line.is_object()) << text;
  EXPECT_EQ(line.value("address", ""), "127.0.0.1:7001");
  EXPECT_EQ(line.value("ops_address", ""), runtime_->ops_address());
}

TEST_F(ProcessRuntimeTest, ANoticeThatNobodyWaitsForIsNotWritten) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(runtime_->NotifyStarted("127.0.0.1:7001").ok());
}

TEST_F(ProcessRuntimeTest, ANoticeToNoDescriptorIsInvalidArgument) {
  ASSERT_NO_FATAL_FAILURE(Start(/*ready_fd=*/1 << 20));
  EXPECT_EQ(runtime_->NotifyStarted("127.0.0.1:7001").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ProcessRuntimeTest, TwoStartsHaveTwoIncarnations) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const uint64_t first = runtime_->incarnation();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_NE(first, 0u);
  EXPECT_NE(runtime_->incarnation(), first);
}

}  // namespace
}  // namespace distill
