#include "common/rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/synchronization/notification.h"
#include "common/rpc/transport.h"

namespace distill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// One method, which nobody calls: a server has to have something to serve.
class SomeService final : public grpc::Service {
 public:
  SomeService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/test/Method", grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    using Handler = grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>;
    MarkMethodRawCallback(0, new Handler([](grpc::CallbackServerContext*) { return nullptr; }));
  }
};

class RpcServerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& listen) {
    return RpcServer::Start({.listen = listen, .transport = {}, .services = {&service_}});
  }
  SomeService service_;
  SomeService other_service_;
};

TEST_F(RpcServerTest, PortZeroIsAFreePort) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), HasSubstr("127.0.0.1:"));
  EXPECT_THAT((*server)->address(), Not(EndsWith(":0")));
}

// grpc.health.v1.HealthCheckResponse.status of a server: its one field, 1 for SERVING and
// 2 for NOT_SERVING.
int HealthOf(const std::string& address) {
  auto channel = CreateChannel({}, address);
  EXPECT_TRUE(channel.ok());
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  // An empty HealthCheckRequest: the whole server.
  const grpc::Slice empty("");
  const grpc::ByteBuffer body(&empty, 1);
  grpc::ByteBuffer response;
  absl::Notification done;
  grpc::Status status;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &body, &response,
                 [&](const grpc::Status& result) {
                   status = result;
                   done.Notify();
                 });
  done.WaitForNotification();
  EXPECT_TRUE(status.ok()) << status.error_message();
  grpc::Slice slice;
  EXPECT_TRUE(response.DumpToSingleSlice(&slice).ok());
  return slice.size() == 2 && slice.begin()[0] == 0x08 ? slice.begin()[1] : -1;
}

TEST_F(RpcServerTest, HealthIsNotServingUntilItIsTold) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(HealthOf((*server)->address()), 2);
  (*server)->SetServing(true);
  EXPECT_EQ(HealthOf((*server)->address()), 1);
  (*server)->SetServing(false);
  EXPECT_EQ(HealthOf((*server)->address()), 2);
}

TEST_F(RpcServerTest, APortInUseIsRefusedWithTheWayOut) {
  auto first = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  auto second = RpcServer::Start(
      {.listen = (*first)->address(), .transport = {}, .services = {&other_service_}});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*first)->address()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--listen"));
}

TEST_F(RpcServerTest, PlaintextOffTheMachineIsRefused) {
  auto server = Start("0.0.0.0:0");
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
}

// gRPC itself would serve on port 34463.
TEST_F(RpcServerTest, APortAbove65535IsRefused) {
  auto server = Start("127.0.0.1:99999");
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("127.0.0.1:99999"));
}

TEST_F(RpcServerTest, AnAddressWithoutAPortIsRefused) {
  auto server = Start("localhost");
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
