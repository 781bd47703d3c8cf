#include "student_worker/accounting/event_record.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/escaping.h"

namespace distill {
namespace {

using tensorboard::Event;
using tensorboard::SessionLog;
using tensorboard::Summary;

constexpr double kWallTime = 1704067200.5;

// The bytes are those of TensorBoard 2.19's own messages and writer:
//   record_writer.RecordWriter(file).write(event_pb2.Event(...).SerializeToString())
std::string Hex(const Event& event) { return absl::BytesToHexString(EventRecord(event)); }

TEST(EventRecordTest, TheFirstEventOfAFileIsAsTensorBoardWritesIt) {
  Event event;
  event.set_wall_time(kWallTime);
  event.set_file_version("brain.Event:2");
  EXPECT_EQ(Hex(event),
            "1800000000000000a37f4b2209000020208064d9411a0d627261696e2e4576656e743a32f1f37a03");
}

TEST(EventRecordTest, TheStartOfASessionIsAsTensorBoardWritesIt) {
  Event event;
  event.set_wall_time(kWallTime);
  event.set_step(101);
  event.mutable_session_log()->set_status(SessionLog::START);
  EXPECT_EQ(Hex(event), "0f000000000000006d532b0909000020208064d94110653a0208011f6c1a74");
}

TEST(EventRecordTest, ScalarsAreAsTensorBoardWritesThem) {
  Event event;
  event.set_wall_time(kWallTime);
  event.set_step(110);
  Summary::Value* total = event.mutable_summary()->add_value();
  total->set_tag("loss/total");
  total->set_simple_value(0.625f);
  Summary::Value* soft = event.mutable_summary()->add_value();
  soft->set_tag("loss/soft");
  soft->set_simple_value(-std::numeric_limits<float>::infinity());
  EXPECT_EQ(Hex(event),
            "3200000000000000241956ec09000020208064d941106e2a250a110a0a6c6f73732f746f74616c"
            "150000203f0a100a096c6f73732f736f667415000080ff653c747a");
}

TEST(EventRecordTest, AZeroIsWrittenToo) {
  Event event;
  event.set_wall_time(kWallTime);
  event.set_step(7);
  Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag("schedule/soft_weight");
  value->set_simple_value(0);
  EXPECT_EQ(Hex(event),
            "2a00000000000000ae8d91f509000020208064d94110072a1d0a1b0a147363686564756c652f736f66745f"
            "7765696768741500000000d8868afe");
}

TEST(EventRecordTest, RecordsAreTakenBackUntilOneIsTornOrDamaged) {
  Event event;
  event.set_step(5);
  const std::string record = EventRecord(event);
  for (size_t bad = 0; bad < record.size(); ++bad) {
    std::string damaged = record + record;
    damaged[record.size() + bad] ^= 1;
    const std::string torn = record + record.substr(0, bad);
    for (std::string_view bytes : {std::string_view(damaged), std::string_view(torn)}) {
      Event read;
      ASSERT_TRUE(TakeEventRecord(bytes, read));
      EXPECT_EQ(read.step(), 5);
      EXPECT_FALSE(TakeEventRecord(bytes, read)) << bad;
    }
  }
}

}  // namespace
}  // namespace distill
