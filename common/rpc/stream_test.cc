// Both ends of a stream against each other, over a generic method of raw bytes.
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/client_stream.h"
#include "common/rpc/framing.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/transport.h"

namespace distill {
namespace {

using grpc::ByteBuffer;

// How many buffers to write, of both ends, are held by whomever.
struct Held {
  absl::Mutex mu;
  int buffers ABSL_GUARDED_BY(mu) = 0;

  bool AwaitNone() {
    absl::MutexLock lock(&mu);
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return buffers == 0; };
    return mu.AwaitWithTimeout(absl::Condition(&none), absl::Seconds(30));
  }
};
Held& HeldBuffers() {
  static auto* held = new Held();
  return *held;
}

ByteBuffer Buffer(const std::string& text) {
  const auto count = [](int by) {
    absl::MutexLock lock(&HeldBuffers().mu);
    HeldBuffers().buffers += by;
  };
  count(1);
  const std::shared_ptr<const std::string> owner(new std::string(text),
                                                 [count](const std::string* bytes) {
                                                   delete bytes;
                                                   count(-1);
                                                 });
  const grpc::Slice slice = OwnedSlice(*owner, owner);
  return ByteBuffer(&slice, 1);
}

std::string Text(const ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

class Queue {
 public:
  void Push(const std::string& text) {
    absl::MutexLock lock(&mu_);
    texts_.push_back(text);
  }
  std::optional<ByteBuffer> Pop() {
    absl::MutexLock lock(&mu_);
    if (texts_.empty()) return std::nullopt;
    const std::string text = texts_.front();
    texts_.pop_front();
    return Buffer(text);
  }

 private:
  absl::Mutex mu_;
  std::deque<std::string> texts_ ABSL_GUARDED_BY(mu_);
};

// Sends back what it gets; ends with ABORTED on "abort".
class Echo final : public ServerStream<ByteBuffer, ByteBuffer> {
 protected:
  void OnMessage(ByteBuffer message) override {
    const std::string text = Text(message);
    queue_.Push("echo " + text);
    Wake();
    if (text == "abort") End(absl::AbortedError("as you wish"));
  }
  std::optional<ByteBuffer> NextToWrite() override { return queue_.Pop(); }
  void OnPeerDone() override { End(absl::OkStatus()); }
  // A stream of days must not count its messages over an int.
  void OnEnded() override { EXPECT_EQ(unhandled(), 0); }

 private:
  Queue queue_;
};

// Handles a message only when told to.
class Slow final : public ServerStream<ByteBuffer, ByteBuffer> {
 public:
  static constexpr int kMaxUnhandled = 3;
  Slow() : ServerStream(kMaxUnhandled) {}

  void HandleOne() {
    {
      absl::MutexLock lock(&mu_);
      ++handled_;
    }
    Handled();
  }
  void AwaitEnded() { EXPECT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(30))); }
  void AwaitGiven(int count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return given_ >= count; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30)));
  }

 protected:
  void OnMessage(ByteBuffer) override {
    absl::MutexLock lock(&mu_);
    EXPECT_LE(++given_, handled_ + kMaxUnhandled);
  }
  std::optional<ByteBuffer> NextToWrite() override { return std::nullopt; }
  void OnPeerDone() override { End(absl::OkStatus()); }
  void OnEnded() override { ended_.Notify(); }

 private:
  absl::Mutex mu_;
  int given_ ABSL_GUARDED_BY(mu_) = 0;
  int handled_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Notification ended_;
};

class EchoService final : public grpc::CallbackGenericService {
 public:
  // Instead of an Echo, for one call.
  std::shared_ptr<Slow> next;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    if (next != nullptr) return std::exchange(next, nullptr)->Begin();
    auto stream = std::make_shared<Echo>();
    return stream->Begin();
  }
};

class Client final : public ClientStream<ByteBuffer, ByteBuffer> {
 public:
  void Say(const std::string& text) {
    queue_.Push(text);
    Wake();
  }
  void AwaitAnswers(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return answers_.size() >= count; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30)));
  }
  absl::Status AwaitClosed() {
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(absl::Seconds(30)));
    absl::MutexLock lock(&mu_);
    return status_;
  }
  std::vector<std::string> answers() {
    absl::MutexLock lock(&mu_);
    return answers_;
  }

 protected:
  void OnMessage(ByteBuffer message) override {
    absl::MutexLock lock(&mu_);
    answers_.push_back(Text(message));
  }
  std::optional<ByteBuffer> NextToWrite() override { return queue_.Pop(); }
  void OnClosed(const absl::Status& status) override {
    {
      absl::MutexLock lock(&mu_);
      status_ = status;
    }
    closed_.Notify();
  }

 private:
  Queue queue_;
  absl::Mutex mu_;
  std::vector<std::string> answers_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  absl::Notification closed_;
};

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    auto channel = CreateChannel({}, "127.0.0.1:" + std::to_string(port));
    EXPECT_TRUE(channel.ok());
    stub_ = std::make_unique<grpc::TemplatedGenericStub<ByteBuffer, ByteBuffer>>(*channel);
  }
  std::shared_ptr<Client> Open() {
    auto client = std::make_shared<Client>();
    stub_->PrepareBidiStreamingCall(client->context(), "/test/Echo", {}, client.get());
    client->Begin();
    return client;
  }
  void StopServer() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  EchoService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::TemplatedGenericStub<ByteBuffer, ByteBuffer>> stub_;
};

TEST_F(StreamTest, ManyThreadsMaySendAtOnceAndNothingIsLost) {
  auto client = Open();
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&client, t] {
      for (int i = 0; i < kEach; ++i) client->Say(std::to_string(t * kEach + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  client->AwaitAnswers(kThreads * kEach);
  std::vector<std::string> expected;
  for (int i = 0; i < kThreads * kEach; ++i) expected.push_back("echo " + std::to_string(i));
  EXPECT_THAT(client->answers(), ::testing::UnorderedElementsAreArray(expected));
  client->Cancel();
  EXPECT_EQ(client->AwaitClosed().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamTest, TheServersStatusComesAfterAllItHadToSay) {
  auto client = Open();
  client->Say("a");
  client->Say("abort");
  const absl::Status status = client->AwaitClosed();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "as you wish");
  EXPECT_THAT(client->answers(), ::testing::ElementsAre("echo a", "echo abort"));
}

TEST_F(StreamTest, WhatWasSaidBeforeTheLastWordArrives) {
  auto client = Open();
  for (int i = 0; i < 50; ++i) client->Say(std::to_string(i));
  client->FinishWriting();
  EXPECT_TRUE(client->AwaitClosed().ok());
  EXPECT_EQ(client->answers().size(), 50u);
}

TEST_F(StreamTest, AnIdleStreamHoldsNothingOfWhatItHasWritten) {
  auto client = Open();
  client->Say("one");
  client->AwaitAnswers(1);
  EXPECT_TRUE(HeldBuffers().AwaitNone());
  client->Cancel();
  client->AwaitClosed().IgnoreError();
}

TEST_F(StreamTest, AStreamIsGivenNoMoreThanItHandles) {
  auto slow = std::make_shared<Slow>();
  service_.next = slow;
  auto client = Open();
  constexpr int kMessages = 200;
  for (int i = 0; i < kMessages; ++i) client->Say(std::to_string(i));
  client->FinishWriting();
  for (int i = 0; i < kMessages; ++i) {
    slow->AwaitGiven(std::min(i + Slow::kMaxUnhandled, kMessages));
    slow->HandleOne();
  }
  EXPECT_TRUE(client->AwaitClosed().ok());
}

TEST_F(StreamTest, AStreamMayEndWhileItHoldsBackItsPeer) {
  for (const bool by_server : {true, false}) {
    for (int i = 0; i < 20; ++i) {
      auto slow = std::make_shared<Slow>();
      service_.next = slow;
      auto client = Open();
      for (int j = 0; j < 10; ++j) client->Say("more");
      slow->AwaitGiven(Slow::kMaxUnhandled);
      std::thread handler([&slow, i] {
        // Half of the time when it is over.
        if (i % 2 == 0) slow->AwaitEnded();
        for (int j = 0; j < Slow::kMaxUnhandled; ++j) slow->HandleOne();
      });
      if (by_server) {
        slow->End(absl::AbortedError("enough"));
      } else {
        client->Cancel();
      }
      EXPECT_EQ(client->AwaitClosed().code(),
                by_server ? absl::StatusCode::kAborted : absl::StatusCode::kCancelled);
      handler.join();
    }
  }
}

TEST_F(StreamTest, AStreamClosesWhenItsServerGoesWhileBothEndsTalk) {
  for (int i = 0; i < 20; ++i) {
    auto client = Open();
    client->Say("one");
    client->AwaitAnswers(1);
    std::thread talker([&client] {
      for (int j = 0; j < 200; ++j) client->Say("more");
    });
    client->Cancel();
    talker.join();
    EXPECT_FALSE(client->AwaitClosed().ok());
  }
  auto client = Open();
  client->Say("one");
  client->AwaitAnswers(1);
  StopServer();
  EXPECT_FALSE(client->AwaitClosed().ok());
  client->Say("into the void");
}

}  // namespace
}  // namespace distill
