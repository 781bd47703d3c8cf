#include "cli/label_recording/record_labels.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/errors/failure_text.h"
#include "cli/label_recording/folder_lock.h"
#include "cli/label_recording/local_teachers.h"
#include "cli/launcher/supervisor.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/process/process_flags.h"
#include "common/digest/sha256.h"
#include "common/executor/thread_executor.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/reader.h"
#include "distillation/label_sets/writer.h"

namespace distill {
namespace {

constexpr absl::Duration kStopGrace = absl::Seconds(25);
constexpr absl::Duration kShowEvery = absl::Milliseconds(200);
constexpr absl::Duration kSayEvery = absl::Seconds(5);
constexpr int kWriterThreads = 2;

class Recording {
 public:
  Recording(const LocalRunTools& tools, const v1::PlanConfig& plan,
            const RecordLabelsRequest& request)
      : tools_(tools), plan_(plan), request_(request), supervisor_(tools.clock) {}

  Outcome Run() {
    absl::Status status = Record();
    for (const std::string& name : supervisor_.StopAll(kStopGrace)) {
      tools_.say(absl::StrCat(name, " did not stop in time and was killed"));
    }
    if (status.ok()) status = VerifyAndTell();
    if (status.ok()) return {};
    if (tools_.shutdown->requested()) {
      const std::string reason = tools_.shutdown->reason();
      const ExitCode code = ExitCodeOfInterruption(reason);
      return {code,
              WithSomeId(absl::StrCat("stopped by ", reason, "; the same command goes on"), code)};
    }
    return {ExitCodeOf(status), WithSomeId(status, ExitCodeOf(status))};
  }

 private:
  absl::Status Record() {
    ASSIGN_OR_RETURN(recording_, PlanRecording(*tools_.files, plan_, request_.what));
    RETURN_IF_ERROR(Annotate(CheckFolderOfSet(*tools_.files, request_.directory), SetName()));
    RETURN_IF_ERROR(tools_.files->MakeDirectories(FolderBeside()));
    ASSIGN_OR_RETURN(lock_, FolderLock::Take(FolderBeside()));
    ASSIGN_OR_RETURN(const bool complete, TakeOver());
    if (complete) return absl::OkStatus();
    std::vector<std::string> addresses = request_.teachers;
    if (addresses.empty()) {
      ASSIGN_OR_RETURN(addresses, StartTeachers());
    }
    ThreadExecutor writers({.name = "writers", .threads = kWriterThreads, .max_queued = 4096});
    LabelRecorderOptions options;
    options.directory = request_.directory;
    options.identity = recording_.identity;
    options.view = recording_.view;
    options.open = recording_.open;
    options.transport.allow_plaintext_off_loopback = true;  // what the user typed
    options.request_timeout = absl::Seconds(RunOf().labels().request_timeout_seconds());
    LabelRecorderTools tools;
    tools.files = tools_.files;
    tools.clock = tools_.clock;
    tools.writers = &writers;
    tools.say = tools_.say;
    tools.progress = [this](const RecordingProgress& progress) { Tell(progress); };
    LabelRecorder recorder(options, tools);
    tools_.shutdown->OnRequest([&] { recorder.Stop(); });
    const absl::Cleanup forget = [this] { tools_.shutdown->OnRequest(nullptr); };
    began_ = tools_.clock->MonotonicNow();
    const absl::Status recorded = recorder.Record(addresses).status();
    took_ = tools_.clock->MonotonicNow() - began_;
    if (told_ && request_.show) request_.show("\n");
    writers.Stop();
    return Annotate(recorded, SetName());
  }

  std::string SetName() const { return absl::StrCat("label set ", request_.directory); }

  // A set that was finished before says which teachers could go on with it; whether it is
  // sound and needs none.
  absl::StatusOr<bool> TakeOver() {
    const auto held = ReadLabelSetManifest(*tools_.files, request_.directory);
    // Not there, or damaged: written anew at the end.
    if (absl::IsNotFound(held.status()) || absl::IsDataLoss(held.status())) return false;
    RETURN_IF_ERROR(held.status());
    const absl::Status same = CheckHeld(recording_.identity, held->identity);
    RETURN_IF_ERROR(Annotate(same, SetName()));
    recording_.identity = held->identity;
    ASSIGN_OR_RETURN(const auto writer, LabelSetWriter::Open(tools_.files, request_.directory,
                                                             recording_.identity, {}));
    return writer->MissingBlocks().empty();
  }

  // The set's own folder is made when there is something to write.
  std::string FolderBeside() const {
    std::string folder = request_.directory;
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
    return folder + ".recording";
  }

  const v1::RunConfig& RunOf() const {
    return *std::find_if(plan_.runs().begin(), plan_.runs().end(),
                         [this](const auto& run) { return run.name() == request_.what.run; });
  }

  absl::StatusOr<std::vector<std::string>> StartTeachers() {
    const v1::ProcessConfig& processes = plan_.processes();
    const auto chosen = [](int asked, uint32_t planned) {
      return asked > 0 ? asked : std::max(1, static_cast<int>(planned));
    };
    LocalTeachersOptions options;
    options.program = tools_.programs.teacher_server;
    options.run_dir = request_.what.run_dir;
    options.order = recording_.order;
    options.servers = chosen(request_.teacher_servers, processes.teacher_servers());
    options.threads = chosen(request_.threads, processes.threads());
    options.bind_host = processes.bind_host();
    options.folder = FolderBeside();
    options.models = tools_.models;
    return StartLocalTeachers(*tools_.files, supervisor_, options);
  }

  void Tell(const RecordingProgress& progress) {
    const absl::Duration now = tools_.clock->MonotonicNow();
    const bool last = progress.blocks_done == progress.blocks;
    const absl::Duration every = request_.show ? kShowEvery : kSayEvery;
    if (told_ && !last && now - told_at_ < every) return;
    told_ = true;
    told_at_ = now;
    recorded_ = progress.rows_missing;
    const std::string text =
        RecordingProgressText(progress, recording_.identity.block_rows, now - began_);
    if (request_.show) {
      request_.show(absl::StrCat("\r\033[K", text));
    } else {
      tools_.say(text);
    }
  }

  absl::Status VerifyAndTell() {
    LabelSetIdentity asked = recording_.identity;
    ASSIGN_OR_RETURN(const auto set,
                     LabelSetReader::Open(tools_.files, request_.directory, asked, {}));
    RETURN_IF_ERROR(set->Verify());
    ASSIGN_OR_RETURN(const LabelSetManifest manifest,
                     ReadLabelSetManifest(*tools_.files, request_.directory));
    const LabelSetIdentity& identity = manifest.identity;
    uint64_t bytes = 0;
    for (const LabelSetManifest::Part& part : manifest.parts) bytes += part.bytes;
    const std::string encoded = EncodeManifest(manifest);
    tools_.say(absl::StrFormat(
        "label set  %s, complete and verified\n"
        "rows       %d of %d classes: %d examples, %s\n"
        "bytes      %d in %d parts, %s\n"
        "recorded   %d rows in %.1f s, %.0f rows/s\n"
        "teacher    %s, %s\n"
        "digest     %s",
        request_.directory, identity.rows(), identity.classes, identity.examples,
        identity.views == 0 ? "un-augmented" : absl::StrCat(identity.views, " views of each"),
        bytes + encoded.size(), manifest.parts.size(), identity.codec, recorded_,
        absl::ToDoubleSeconds(took_),
        static_cast<double>(recorded_) / std::max(1e-9, absl::ToDoubleSeconds(took_)),
        identity.fingerprint, identity.numerics_class, Sha256Hex(encoded)));
    return absl::OkStatus();
  }

  const LocalRunTools& tools_;
  const v1::PlanConfig& plan_;
  const RecordLabelsRequest& request_;
  // Two recordings into one folder would write over each other's files.
  std::unique_ptr<FolderLock> lock_;
  Supervisor supervisor_;
  RecordingPlan recording_;
  absl::Duration began_;
  absl::Duration took_;
  bool told_ = false;
  absl::Duration told_at_;
  uint64_t recorded_ = 0;
};

}  // namespace

std::string RecordingProgressText(const RecordingProgress& progress, uint64_t block_rows,
                                  absl::Duration elapsed) {
  const double seconds = std::max(1e-9, absl::ToDoubleSeconds(elapsed));
  const double rate = static_cast<double>(progress.blocks_done - progress.blocks_kept) / seconds;
  std::string text =
      absl::StrFormat("labels  %d/%d blocks  %d%%", progress.blocks_done, progress.blocks,
                      progress.blocks == 0 ? 100 : progress.blocks_done * 100 / progress.blocks);
  if (rate <= 0) return text;
  absl::StrAppendFormat(&text, "  %.0f rows/s  ETA %.0f s", rate * static_cast<double>(block_rows),
                        static_cast<double>(progress.blocks - progress.blocks_done) / rate);
  return text;
}

Outcome RecordLabels(const LocalRunTools& tools, const v1::PlanConfig& plan,
                     const RecordLabelsRequest& request) {
  return Recording(tools, plan, request).Run();
}

}  // namespace distill
