// Fills a recorded label set from teacher servers: many asks at a time to each, what fails
// asked again, and every block written as its labels come.
#ifndef CLI_LABEL_RECORDING_LABEL_RECORDER_H_
#define CLI_LABEL_RECORDING_LABEL_RECORDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/executor/executor.h"
#include "common/files/file_system.h"
#include "common/rpc/transport.h"
#include "distillation/label_sets/filler.h"
#include "distillation/label_sets/identity.h"
#include "distillation/label_sets/writer.h"
#include "proto/teacher.pb.h"
#include "teacher_server/client/label_channel.h"

namespace distill {

struct LabelRecorderOptions {
  std::string directory;
  // The codec and the numerics class are those of the first teacher that opens a stream,
  // where they are empty.
  LabelSetIdentity identity;
  // Has the digest identity.view_spec_digest.
  v1::ViewSpec view;
  // Exact, with one output; everything but the credit.
  v1::Open open;
  TransportOptions transport;
  int asks_per_teacher = 4;
  // How long a server may take for an ask; one that has not even said by `grace` later that
  // it is late loses its stream.
  absl::Duration request_timeout = absl::Seconds(30);
  absl::Duration grace = absl::Seconds(5);
  // How often in a row a teacher may fail before it is given up.
  int max_failures = 8;
};

struct RecordingProgress {
  uint64_t blocks_done = 0;
  uint64_t blocks = 0;
  // Of those done: found in the directory, from a recording before.
  uint64_t blocks_kept = 0;
  // Of the blocks that were missing.
  uint64_t rows_missing = 0;
};

// All outlive the recorder.
struct LabelRecorderTools {
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  // Where blocks are written; several threads write several parts at a time. Run it out
  // (ThreadExecutor::Stop) before `files` goes.
  Executor* writers = nullptr;
  // Lines for people, and how far it is: on the thread of Record, which both delay.
  std::function<void(const std::string&)> say;
  std::function<void(const RecordingProgress&)> progress;
};

// Record belongs to one thread, on which everything is decided; Stop is thread-safe.
class LabelRecorder {
 public:
  LabelRecorder(const LabelRecorderOptions& options, const LabelRecorderTools& tools);
  ~LabelRecorder();

  // Blocks until the set in `options.directory` is complete and its manifest is written, and
  // returns what it holds; goes on with the parts that are there. Once:
  //   CANCELLED   after Stop. Record again: it goes on.
  //   FAILED_PRECONDITION  every teacher is of another fingerprint or cannot be used, or the
  //               directory holds another set.
  //   DATA_LOSS   a block came damaged from every attempt, or from the last teacher.
  //   UNAVAILABLE, or what the last of them said: no teacher is left.
  //   else the file system's: what was recorded stays; put the cause right and record again.
  absl::StatusOr<LabelSetIdentity> Record(const std::vector<std::string>& addresses);

  // Ends Record soon.
  void Stop();

 private:
  class Mailbox;
  struct Teacher {
    std::string address;
    // Of the stream in use: what an earlier one says does not count.
    uint64_t serial = 0;
    std::shared_ptr<LabelChannel> channel;
    bool opened = false;
    bool draining = false;
    // Not asked any more, for this reason.
    std::optional<absl::Status> given_up;
    int failures = 0;
    // Nothing is asked, and no stream opened, before.
    absl::Duration not_before;
    // When each ask is given up.
    std::map<uint64_t, absl::Duration> asked;
  };

  absl::Status Step();
  void Open(Teacher& teacher, absl::Duration now);
  LabelChannelEvents EventsOf(size_t index, uint64_t serial);
  absl::Status OnOpened(Teacher& teacher, const v1::Opened& opened);
  absl::Status StartWriting(const v1::Opened& opened);
  void OnAnswer(Teacher& teacher, uint64_t id, const ReceivedLabels& received);
  // An answer of that teacher. One whose labels came whole and may not be trained on is given up.
  void OnWritten(size_t index, uint64_t id, const absl::Status& status);
  void OnFailed(Teacher& teacher, uint64_t id, const absl::Status& why, absl::Duration retry_after);
  // Its stream has ended, or is ended here.
  void OnLost(Teacher& teacher, const absl::Status& why);
  void Penalize(Teacher& teacher, absl::Duration at_least);
  void GiveUp(Teacher& teacher, const absl::Status& why);
  // Asks as much as the teachers may be asked.
  void AskAll(absl::Duration now);
  void CheckDeadlines(absl::Duration now);
  absl::Duration NextDeadline() const;
  absl::Status NobodyLeft() const;

  const LabelRecorderOptions options_;
  const LabelRecorderTools tools_;
  const std::shared_ptr<Mailbox> mailbox_;

  LabelSetIdentity identity_;
  std::vector<Teacher> teachers_;
  std::shared_ptr<LabelSetWriter> writer_;
  std::optional<LabelSetFiller> filler_;
  RecordingProgress progress_;
  // Ends the recording.
  absl::Status failed_;
};

}  // namespace distill

#endif  // CLI_LABEL_RECORDING_LABEL_RECORDER_H_
