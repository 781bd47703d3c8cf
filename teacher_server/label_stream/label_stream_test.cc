#include "teacher_server/label_stream/label_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/bytes/byte_slices.h"
#include "common/digest/crc32c.h"
#include "common/random/test_seed.h"
#include "distillation/run_config/digests.h"
#include "teacher_server/label_stream/memory_ledger.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::shared_ptr<const ServedModel> Served() {
  auto served = std::make_shared<ServedModel>();
  served->model = "teacher";
  served->fingerprint = "f00d";
  served->numerics_class = "AVX2";
  served->data_set_digest = "data";
  served->outputs = {"logits"};
  served->codecs = {"dense_fp32", "dense_fp16"};
  served->example_dims = {28, 28};
  served->classes = 10;
  served->incarnation = 7;
  return served;
}

v1::LabelRequest Open(uint32_t requests = 4, uint64_t bytes = 1 << 20) {
  v1::LabelRequest message;
  v1::Open* open = message.mutable_open();
  open->set_model("teacher");
  open->set_fingerprint("f00d");
  v1::OutputSpec* output = open->add_outputs();
  output->set_name("logits");
  output->mutable_logits();
  open->add_codecs("dense_fp16");
  open->set_classes(10);
  open->add_example_dims(28);
  open->add_example_dims(28);
  open->mutable_credit()->set_requests(requests);
  open->mutable_credit()->set_bytes(bytes);
  return message;
}

v1::LabelRequest Ask(uint64_t id, uint64_t example = 3) {
  v1::LabelRequest message;
  message.mutable_ask()->set_request_id(id);
  message.mutable_ask()->mutable_remaining()->set_seconds(10);
  message.mutable_ask()->mutable_examples()->set_data_set_digest("data");
  message.mutable_ask()->mutable_examples()->set_split(v1::TRAIN);
  message.mutable_ask()->mutable_examples()->add_ids(example);
  return message;
}

v1::LabelRequest Credit(uint32_t requests, uint64_t bytes) {
  v1::LabelRequest message;
  message.mutable_credit()->set_requests(requests);
  message.mutable_credit()->set_bytes(bytes);
  return message;
}

v1::LabelRequest Cancel(uint64_t id) {
  v1::LabelRequest message;
  message.mutable_cancel()->set_request_id(id);
  return message;
}

LabelAnswer AnswerOf(const std::vector<std::string>& pieces) {
  LabelAnswer answer;
  answer.sections.resize(1);
  answer.sections[0].set_output("logits");
  for (const std::string& piece : pieces) {
    answer.payload.push_back(SlicesOf(piece));
  }
  return answer;
}

std::string Bytes(const LabelFrame& frame) {
  std::string bytes;
  for (const std::string_view slice : frame.payload.slices) bytes += slice;
  return bytes;
}

LabelStream Opened(uint32_t requests = 4, uint64_t bytes = 1 << 20,
                   LabelStreamOptions options = {}) {
  LabelStream stream(options, Served(), absl::OkStatus());
  EXPECT_TRUE(stream.OnMessage(Open(requests, bytes)).ok());
  EXPECT_TRUE(stream.NextFrame()->head.has_opened());
  return stream;
}

TEST(LabelStreamTest, OpeningSaysWhatWasNegotiated) {
  LabelStream stream({}, Served(), absl::OkStatus());
  ASSERT_TRUE(stream.OnMessage(Open()).ok());
  const auto frame = stream.NextFrame();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->head.opened().codec(), "dense_fp16");
  EXPECT_EQ(frame->head.opened().fingerprint(), "f00d");
  EXPECT_EQ(frame->head.opened().numerics_class().text(), "AVX2");
  EXPECT_EQ(frame->head.opened().incarnation(), 7u);
  EXPECT_FALSE(stream.NextFrame().has_value());
}

TEST(LabelStreamTest, AnOpenThatDoesNotFitEndsTheStreamWithItsReason) {
  const auto refused = [](const std::function<void(v1::Open*)>& change) {
    LabelStream stream({}, Served(), absl::OkStatus());
    v1::LabelRequest message = Open();
    change(message.mutable_open());
    return stream.OnMessage(message);
  };
  using absl::StatusCode;
  EXPECT_EQ(refused([](v1::Open* o) { o->set_model(""); }).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_model("other"); }).code(), StatusCode::kNotFound);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_fingerprint("beef"); }).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_classes(9); }).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_example_dims(1, 27); }).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused([](v1::Open* o) { o->clear_example_dims(); }).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_codecs(0, "zip"); }).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused([](v1::Open* o) { o->clear_outputs(); }).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused([](v1::Open* o) { o->set_share(0); }).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(refused([](v1::Open* o) { o->set_share(2.5); }).ok());
  EXPECT_EQ(refused([](v1::Open* o) { o->mutable_outputs(0)->mutable_feature(); }).code(),
            StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(refused([](v1::Open* o) { o->set_classes(9); }).message()),
              HasSubstr("10 classes and the student 9"));
}

TEST(LabelStreamTest, OpenComesFirstAndOnce) {
  LabelStream stream({}, Served(), absl::OkStatus());
  EXPECT_EQ(stream.OnMessage(Ask(1)).code(), absl::StatusCode::kInvalidArgument);
  LabelStream open = Opened();
  EXPECT_EQ(open.OnMessage(Open()).code(), absl::StatusCode::kInvalidArgument);
}

TEST(LabelStreamTest, AServerWithoutAModelSaysWhy) {
  LabelStream stream({}, nullptr, absl::UnavailableError("still loading"));
  const absl::Status status = stream.OnMessage(Open());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("still loading"));
}

TEST(LabelStreamTest, AnAnswerGoesOutInPartsWithinTheCredit) {
  LabelStreamOptions options;
  options.max_part_bytes = 4;
  LabelStream stream = Opened(4, /*bytes=*/6, options);
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  ASSERT_THAT(stream.TakeAdmitted(), SizeIs(1));
  stream.Answer(1, AnswerOf({"abc", "defgh"}));
  auto first = stream.NextFrame();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(Bytes(*first), "abcd");
  EXPECT_EQ(first->head.labels().total_bytes(), 8u);
  EXPECT_EQ(first->head.labels().crc32c(), Crc32c("abcd"));
  EXPECT_EQ(first->head.labels().sections_size(), 1);
  EXPECT_FALSE(first->head.labels().last());
  auto second = stream.NextFrame();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(Bytes(*second), "ef");
  EXPECT_EQ(second->head.labels().part(), 1u);
  EXPECT_FALSE(stream.NextFrame().has_value());
  ASSERT_TRUE(stream.OnMessage(Credit(0, 100)).ok());
  auto last = stream.NextFrame();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(Bytes(*last), "gh");
  EXPECT_TRUE(last->head.labels().last());
}

TEST(LabelStreamTest, AFailureDoesNotWaitForByteCredit) {
  LabelStream stream = Opened(4, /*bytes=*/0);
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  ASSERT_TRUE(stream.OnMessage(Ask(2)).ok());
  stream.TakeAdmitted();
  stream.Answer(1, AnswerOf({"abc"}));
  stream.Fail(2, absl::ResourceExhaustedError("queue is full"), absl::Milliseconds(1500));
  auto frame = stream.NextFrame();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->head.failed().request_id(), 2u);
  EXPECT_EQ(frame->head.failed().retry_after().seconds(), 1);
  EXPECT_EQ(frame->head.failed().retry_after().nanos(), 500'000'000);
  EXPECT_FALSE(stream.NextFrame().has_value());
}

TEST(LabelStreamTest, AnEmptyAnswerIsOnePart) {
  LabelStream stream = Opened(4, /*bytes=*/0);
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  stream.Answer(1, AnswerOf({}));
  auto frame = stream.NextFrame();
  ASSERT_TRUE(frame.has_value());
  EXPECT_TRUE(frame->head.labels().last());
}

TEST(LabelStreamTest, AnAskBeyondTheCreditEndsTheStream) {
  LabelStream stream = Opened(/*requests=*/1);
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  EXPECT_EQ(stream.OnMessage(Ask(2)).code(), absl::StatusCode::kResourceExhausted);
}

TEST(LabelStreamTest, AStudentThatReadsNothingIsCutOffHoweverMuchRequestCreditItGrants) {
  LabelStreamOptions options;
  options.max_unanswered = 3;
  LabelStream stream = Opened(/*requests=*/1000, /*bytes=*/0, options);
  absl::Status status;
  int taken = 0;
  for (uint64_t id = 1; id <= 10 && status.ok(); ++id, ++taken) {
    status = stream.OnMessage(Ask(id));
    stream.Answer(id, AnswerOf({"x"}));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(taken, 4);
}

TEST(LabelStreamTest, AStudentThatGrantsNoBytesIsCutOffBeforeItsAnswersFillTheMemory) {
  LabelStreamOptions options;
  options.max_unsent_bytes = 10;
  LabelStream stream = Opened(/*requests=*/1000, /*bytes=*/0, options);
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(stream.OnMessage(Ask(id)).ok()) << id;
    stream.Answer(id, AnswerOf({"abcd"}));
  }
  EXPECT_EQ(stream.OnMessage(Ask(4)).code(), absl::StatusCode::kResourceExhausted);
}

TEST(LabelStreamTest, AStudentThatReadsItsAnswersMayAskForEver) {
  LabelStreamOptions options;
  options.max_unsent_bytes = 10;
  LabelStream stream = Opened(/*requests=*/1000, /*bytes=*/1 << 20, options);
  for (uint64_t id = 1; id <= 100; ++id) {
    ASSERT_TRUE(stream.OnMessage(Ask(id)).ok()) << id;
    stream.Answer(id, AnswerOf({"abcdefgh"}));
    ASSERT_TRUE(stream.NextFrame().has_value());
  }
}

TEST(LabelStreamTest, AnAnswersBytesCountUntilTheLastOfThemIsLetGoOf) {
  LabelStreamOptions options;
  options.max_part_bytes = 4;
  MemoryLedger ledger(1000);
  auto stream = std::make_unique<LabelStream>(options, Served(), absl::OkStatus(), ledger.Open());
  ASSERT_TRUE(stream->OnMessage(Open(10, 100)).ok());
  ASSERT_TRUE(stream->NextFrame().has_value());
  for (uint64_t id : {1, 2}) {
    ASSERT_TRUE(stream->OnMessage(Ask(id)).ok());
    stream->Answer(id, AnswerOf({"abc", "def"}));
  }
  EXPECT_EQ(ledger.held(), 12u);
  auto part = stream->NextFrame();
  auto last = stream->NextFrame();
  ASSERT_TRUE(last->head.labels().last());
  part.reset();
  EXPECT_EQ(ledger.held(), 12u) << "the last part is still being written";
  last.reset();
  EXPECT_EQ(ledger.held(), 6u);
  stream.reset();
  EXPECT_EQ(ledger.held(), 0u);
}

TEST(LabelStreamTest, ABadAskFailsAloneAndTheStreamGoesOn) {
  LabelStream stream = Opened(100);
  const auto failure = [&](const std::function<void(v1::Ask*)>& change) {
    v1::LabelRequest message = Ask(5);
    change(message.mutable_ask());
    EXPECT_TRUE(stream.OnMessage(message).ok());
    EXPECT_THAT(stream.TakeAdmitted(), IsEmpty());
    return static_cast<absl::StatusCode>(stream.NextFrame()->head.failed().code());
  };
  using absl::StatusCode;
  EXPECT_EQ(failure([](v1::Ask* a) { a->clear_remaining(); }), StatusCode::kInvalidArgument);
  EXPECT_EQ(failure([](v1::Ask* a) { a->mutable_remaining()->set_seconds(-1); }),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(failure([](v1::Ask* a) { a->mutable_examples()->clear_ids(); }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(failure([](v1::Ask* a) {
              for (int i = 0; i < 300; ++i) a->mutable_examples()->add_ids(i);
            }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(failure([](v1::Ask* a) { a->mutable_examples()->set_data_set_digest("other"); }),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(failure([](v1::Ask* a) {
              a->mutable_examples()->add_view_seeds(1);
              a->mutable_examples()->add_view_seeds(2);
            }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(failure([](v1::Ask* a) { a->mutable_examples()->add_view_seeds(1); }),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(failure([](v1::Ask* a) { a->mutable_examples()->add_ranges(); }),
            StatusCode::kUnimplemented);
  EXPECT_EQ(stream.unanswered(), 0u);
}

TEST(LabelStreamTest, ACancelledAskIsAnsweredOnceAndNamedToTheServer) {
  LabelStream stream = Opened();
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  stream.TakeAdmitted();
  ASSERT_TRUE(stream.OnMessage(Cancel(1)).ok());
  ASSERT_TRUE(stream.OnMessage(Cancel(1)).ok());
  ASSERT_TRUE(stream.OnMessage(Cancel(99)).ok());
  EXPECT_THAT(stream.TakeCancelled(), ElementsAre(1));
  EXPECT_EQ(stream.NextFrame()->head.failed().code(),
            static_cast<int>(absl::StatusCode::kCancelled));
  stream.Answer(1, AnswerOf({"late"}));
  EXPECT_FALSE(stream.NextFrame().has_value());
}

TEST(LabelStreamTest, AnAskCancelledBeforeItWasHandedOnIsNotAdmitted) {
  LabelStream stream = Opened();
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  ASSERT_TRUE(stream.OnMessage(Cancel(1)).ok());
  EXPECT_THAT(stream.TakeAdmitted(), IsEmpty());
  EXPECT_THAT(stream.TakeCancelled(), IsEmpty());
}

TEST(LabelStreamTest, DrainingAnswersWhatWasAdmittedAndRefusesTheRest) {
  LabelStream stream = Opened();
  ASSERT_TRUE(stream.OnMessage(Ask(1)).ok());
  stream.TakeAdmitted();
  stream.Drain("shutting down");
  EXPECT_FALSE(stream.finished());
  EXPECT_EQ(stream.NextFrame()->head.draining().reason(), "shutting down");
  ASSERT_TRUE(stream.OnMessage(Ask(2)).ok());
  EXPECT_EQ(stream.NextFrame()->head.failed().code(),
            static_cast<int>(absl::StatusCode::kUnavailable));
  stream.Answer(1, AnswerOf({"abc"}));
  EXPECT_FALSE(stream.finished());
  EXPECT_TRUE(stream.NextFrame()->head.labels().last());
  EXPECT_TRUE(stream.finished());
}

// A student and a server that act at random: every ask gets exactly one terminal
// answer, parts arrive whole and in order, and neither credit is ever overdrawn.
class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    LabelStreamOptions options;
    options.max_part_bytes = 1 + Draw(5);
    stream_ = std::make_unique<LabelStream>(options, Served(), absl::OkStatus());
    requests_ = 1 + Draw(4);
    bytes_ = Draw(20);
    EXPECT_TRUE(stream_->OnMessage(Open(requests_, bytes_)).ok());
  }

  void Run(int events) {
    for (int i = 0; i < events; ++i) Event();
    stream_->Drain("end");
    EXPECT_TRUE(stream_->OnMessage(Credit(1000, 1 << 20)).ok());
    bytes_ += 1 << 20;
    for (const AdmittedAsk& ask : stream_->TakeAdmitted()) admitted_.push_back(ask.request_id);
    for (uint64_t id : admitted_) Respond(id);
    while (Write()) {
    }
    EXPECT_TRUE(stream_->finished());
    EXPECT_TRUE(unanswered_.empty()) << unanswered_.size() << " asks were never answered";
  }

 private:
  uint64_t Draw(uint64_t bound) { return random_() % bound; }

  void Event() {
    switch (Draw(6)) {
      case 0:
        if (requests_ == 0) return;
        --requests_;
        unanswered_.insert(next_);
        EXPECT_TRUE(stream_->OnMessage(Ask(next_, next_)).ok());
        ++next_;
        return;
      case 1: {
        const uint64_t more = Draw(9);
        bytes_ += more;
        EXPECT_TRUE(stream_->OnMessage(Credit(0, more)).ok());
        return;
      }
      case 2:
        for (const AdmittedAsk& ask : stream_->TakeAdmitted()) admitted_.push_back(ask.request_id);
        return;
      case 3:
        if (admitted_.empty()) return;
        std::swap(admitted_[Draw(admitted_.size())], admitted_.back());
        Respond(admitted_.back());
        admitted_.pop_back();
        return;
      case 4:
        EXPECT_TRUE(stream_->OnMessage(Cancel(Draw(next_ + 1))).ok());
        stream_->TakeCancelled();
        return;
      default:
        Write();
    }
  }

  std::string Payload(uint64_t id) {
    return std::string(id % 13, static_cast<char>('a' + id % 26));
  }

  void Respond(uint64_t id) {
    if (Draw(4) == 0) {
      stream_->Fail(id, absl::InternalError("no"), absl::ZeroDuration());
    } else {
      const std::string payload = Payload(id);
      const size_t cut = Draw(payload.size() + 1);
      stream_->Answer(id, AnswerOf({payload.substr(0, cut), payload.substr(cut)}));
    }
  }

  bool Write() {
    const auto frame = stream_->NextFrame();
    if (!frame.has_value()) return false;
    if (frame->head.has_failed()) Settle(frame->head.failed().request_id());
    if (!frame->head.has_labels()) return true;
    const v1::Labels& labels = frame->head.labels();
    const std::string bytes = Bytes(*frame);
    EXPECT_LE(bytes.size(), bytes_) << "sent beyond the byte credit";
    bytes_ -= bytes.size();
    EXPECT_EQ(labels.crc32c(), Crc32c(bytes));
    if (labels.part() == 0) {
      received_.clear();
      receiving_ = labels.request_id();
      total_ = labels.total_bytes();
    }
    EXPECT_EQ(labels.request_id(), receiving_);
    received_ += bytes;
    if (!labels.last()) return true;
    EXPECT_EQ(received_, Payload(labels.request_id()));
    EXPECT_EQ(received_.size(), total_);
    Settle(labels.request_id());
    return true;
  }

  void Settle(uint64_t id) {
    EXPECT_EQ(unanswered_.erase(id), 1u) << "a second terminal answer to " << id;
    ++requests_;
    EXPECT_TRUE(stream_->OnMessage(Credit(1, 0)).ok());
  }

  std::mt19937_64 random_;
  std::unique_ptr<LabelStream> stream_;
  uint64_t requests_ = 0;
  uint64_t bytes_ = 0;
  uint64_t next_ = 1;
  std::set<uint64_t> unanswered_;
  std::vector<uint64_t> admitted_;
  uint64_t receiving_ = 0;
  uint64_t total_ = 0;
  std::string received_;
};

TEST(LabelStreamTest, EveryAskIsAnsweredOnceInAnyOrderOfEvents) {
  const uint64_t seed = TestSeed();
  for (uint64_t run = 0; run < 400; ++run) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, " run ", run));
    Simulation(seed + run).Run(600);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace distill
