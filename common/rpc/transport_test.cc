#include "common/rpc/transport.h"

#include <grpc/grpc.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace distill {
namespace {

TEST(TransportTest, OnlyAddressesOfThisMachineAreLoopback) {
  for (const char* address : {"127.0.0.1:0", "127.9.9.9:1", "[::1]:5", "localhost:5", "unix:/a"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0:0", "[::]:5", "127.0.0.1.example.org:5", "10.0.0.1:5", "",
                              "[::1", "localhost.example.org:5"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(TransportTest, PlaintextOffLoopbackNeedsAnExplicitFlag) {
  TransportOptions options;
  EXPECT_TRUE(ValidateTransport(options, "127.0.0.1:0").ok());
  const absl::Status refused = ValidateTransport(options, "0.0.0.0:50");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("0.0.0.0:50"), std::string::npos);
  EXPECT_FALSE(CreateChannel(options, "10.0.0.1:50").ok());
  options.allow_plaintext_off_loopback = true;
  EXPECT_TRUE(ValidateTransport(options, "0.0.0.0:50").ok());
}

TEST(TransportTest, TlsIsRefusedAndNotIgnored) {
  TransportOptions options;
  options.tls.root_certificates = "ca.pem";
  EXPECT_EQ(ValidateTransport(options, "127.0.0.1:0").code(), absl::StatusCode::kUnimplemented);
}

TEST(TransportTest, ValuesOutOfRangeAreRefused) {
  TransportOptions options;
  options.max_receive_bytes = 0;
  EXPECT_EQ(ValidateTransport(options, "127.0.0.1:0").code(), absl::StatusCode::kInvalidArgument);
  options = {};
  options.keepalive_interval = absl::Milliseconds(999);
  EXPECT_EQ(ValidateTransport(options, "127.0.0.1:0").code(), absl::StatusCode::kInvalidArgument);
}

TEST(TransportTest, AServerAcceptsPingsTwiceAsOftenAsClientsSendThem) {
  grpc::ChannelArguments arguments;
  SetKeepalive({}, /*server=*/true, &arguments);
  std::map<std::string, int> values;
  const grpc_channel_args args = arguments.c_channel_args();
  for (size_t i = 0; i < args.num_args; ++i) {
    if (args.args[i].type == GRPC_ARG_INTEGER)
      values[args.args[i].key] = args.args[i].value.integer;
  }
  EXPECT_EQ(values[GRPC_ARG_KEEPALIVE_TIME_MS],
            2 * values[GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS]);
  EXPECT_EQ(values[GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS], 1);
}

}  // namespace
}  // namespace distill
