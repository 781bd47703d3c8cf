// The main job's distilled run with the teacher behind the network, and with its labels
// recorded, against the same training in one process that calls the teacher itself.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/recorded_student.h"
#include "benchmarks/support/student.h"
#include "cli/label_recording/label_recorder.h"
#include "cli/label_recording/local_teachers.h"
#include "cli/label_recording/recording_plan.h"
#include "cli/launcher/supervisor.h"
#include "cli/plan_file/plan_file.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/executor.h"
#include "common/executor/thread_executor.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "distillation/label_sets/reader.h"
#include "distillation/models/export/export.h"
#include "distillation/models/model.h"
#include "distillation/order/run_examples.h"
#include "student_worker/worker/label_client.h"
#include "teacher_server/runner/model_runner.h"

namespace distill {
namespace {

constexpr char kPlan[] = "examples/fashion_mnist.yaml";
constexpr char kRun[] = "distilled";
constexpr char kTeacher[] = "teacher";
constexpr char kOutput[] = "logits";
constexpr int64_t kCheckRows = 8;

// Its weights are those it begins to train with: what they are changes no time.
class DirectTeacher {
 public:
  // Also exports it to <run_dir>/teacher/export.
  static absl::StatusOr<std::unique_ptr<DirectTeacher>> Create(FileSystem& files,
                                                               const v1::PlanConfig& plan,
                                                               const DataSet& data,
                                                               const std::string& run_dir,
                                                               Clock* clock) {
    std::unique_ptr<DirectTeacher> teacher(new DirectTeacher(data));
    v1::ExportManifest manifest;
    for (const v1::RunConfig& run : plan.runs()) {
      if (run.name() == kTeacher) *manifest.mutable_model() = run.model();
    }
    ASSIGN_OR_RETURN(std::unique_ptr<Model> model,
                     Model::Create(manifest.model(), data.example_dims(), data.classes(), 1));
    ASSIGN_OR_RETURN(const auto tensors, model->Tensors());
    ModelRunnerOptions options;
    options.example_dims = data.example_dims();
    options.classes = data.classes();
    teacher->runner_ = MakeModelRunner(std::move(model), options, &teacher->here_, clock);

    for (const int64_t dim : data.example_dims()) manifest.add_example_dims(dim);
    manifest.set_classes(data.classes());
    manifest.set_scale(plan.data_sets(0).scale());
    manifest.set_mean(plan.data_sets(0).mean());
    manifest.set_deviation(plan.data_sets(0).deviation());
    std::vector<uint64_t> ids(kCheckRows);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = i;
    ASSIGN_OR_RETURN(TensorView logits, teacher->LabelsOf(v1::VALIDATION, ids));
    const ExportCheck check = {MakeTensorView(ElementType::kInt64, {kCheckRows},
                                              std::vector<int64_t>(ids.begin(), ids.end())),
                               std::move(logits)};
    const std::string folder = JoinPath(JoinPath(run_dir, kTeacher), "export");
    RETURN_IF_ERROR(WriteExport(files, folder, manifest, tensors, check).status());
    return teacher;
  }

  absl::StatusOr<TensorView> LabelsOf(v1::Split split, const std::vector<uint64_t>& ids) {
    InferenceBatch batch;
    ASSIGN_OR_RETURN(batch.examples, data_.Examples(split, ids, {}, {}));
    batch.outputs = {kOutput};
    absl::StatusOr<InferenceResult> answer = absl::InternalError("no answer");
    runner_->Start(std::move(batch),
                   [&](absl::StatusOr<InferenceResult> result) { answer = std::move(result); });
    RETURN_IF_ERROR(answer.status());
    return std::move(answer->outputs[0]);
  }

 private:
  explicit DirectTeacher(const DataSet& data) : data_(data) {}

  const DataSet& data_;
  InlineExecutor here_;
  std::unique_ptr<Runner> runner_;
};

absl::StatusOr<Order> OrderOf(const BenchStudent& student, uint64_t seed) {
  ASSIGN_OR_RETURN(const RunExamples examples,
                   ExamplesOfRun(student.run(), student.data()->labels(v1::TRAIN),
                                 student.data()->classes(), seed));
  return Order::Create(examples.order);
}

// Everything that the ways to train share: the data, the teacher in all its forms.
struct Job {
  Clock* clock;
  std::string folder;
  v1::PlanConfig plan;
  RecordingPlan recording;
  std::vector<std::string> addresses;
  std::shared_ptr<LabelSetReader> set;
};

// As student_worker/worker/run_session asks.
absl::Status TrainLive(const Job& job, BenchStudent& student, int64_t steps) {
  RETURN_IF_ERROR(SetInferenceThreads(1));
  ThreadExecutor executor({.name = "labels", .threads = 1, .max_queued = 4096});
  ThreadTimerQueue timers(job.clock);
  ASSIGN_OR_RETURN(Order made, OrderOf(student, job.plan.seed()));
  const auto order = std::make_shared<Order>(std::move(made));
  LabelClientOptions options;
  options.source.first_step = student.next_step();
  options.source.end_step = student.next_step() + steps;
  options.source.window_steps = static_cast<int>(student.run().labels().window_steps());
  options.open = job.recording.open;
  options.open.set_exact(false);
  options.rows = student.rows();
  options.examples_of = [&job, order](int64_t step) -> absl::StatusOr<v1::ExampleRefs> {
    ASSIGN_OR_RETURN(const std::vector<ExampleView> slice, order->Slice(step, 0, 1));
    v1::ExampleRefs refs;
    refs.set_data_set_digest(job.recording.identity.data_set_digest);
    refs.set_split(v1::TRAIN);
    refs.set_view_spec_digest(job.recording.identity.view_spec_digest);
    *refs.mutable_view_spec() = job.recording.view;
    for (const ExampleView& view : slice) refs.add_ids(view.example_id);
    return refs;
  };
  const auto client =
      LabelClient::Create(options, &executor, &timers, job.clock, [] { return 0.5; });
  std::vector<TeacherEndpoint> endpoints;
  for (const std::string& address : job.addresses) endpoints.push_back({address, 1, address});
  client->SetEndpoints(endpoints);
  const absl::Status trained =
      student.Train(steps, [&](int64_t step) -> absl::StatusOr<SoftLabels> {
        ASSIGN_OR_RETURN(StepLabels labels, client->Take(step));
        return std::move(labels.at(kOutput));
      });
  client->Close(absl::CancelledError("the turn is over"));
  timers.Stop();
  executor.Stop();
  return trained;
}

absl::Status TrainRecorded(const Job& job, BenchStudent& student, int64_t steps, int threads) {
  RETURN_IF_ERROR(SetInferenceThreads(threads));
  return TrainFromSet(student, job.set, steps);
}

absl::Status TrainDirect(DirectTeacher& teacher, BenchStudent& student, int64_t steps,
                         int threads) {
  RETURN_IF_ERROR(SetInferenceThreads(threads));
  return student.Train(steps, [&](int64_t step) -> absl::StatusOr<TensorView> {
    ASSIGN_OR_RETURN(const std::vector<ExampleView> slice, student.Slice(step));
    std::vector<uint64_t> ids;
    for (const ExampleView& view : slice) ids.push_back(view.example_id);
    return teacher.LabelsOf(v1::TRAIN, ids);
  });
}

absl::Status RecordSet(FileSystem& files, Job& job) {
  ThreadExecutor writers({.name = "writers", .threads = 1, .max_queued = 4096});
  LabelRecorderOptions options;
  options.directory = JoinPath(job.folder, "set");
  options.identity = job.recording.identity;
  options.view = job.recording.view;
  options.open = job.recording.open;
  LabelRecorderTools tools;
  tools.files = &files;
  tools.clock = job.clock;
  tools.writers = &writers;
  tools.say = [](const std::string&) {};
  tools.progress = [](const RecordingProgress&) {};
  LabelRecorder recorder(options, tools);
  ASSIGN_OR_RETURN(const LabelSetIdentity identity, recorder.Record(job.addresses));
  writers.Stop();
  ASSIGN_OR_RETURN(job.set, LabelSetReader::Open(&files, options.directory, identity, {}));
  return absl::OkStatus();
}

absl::StatusOr<std::string> TeacherProgram() {
  char self[PATH_MAX] = {};
  if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0) {
    return absl::InternalError("/proc/self/exe cannot be read");
  }
  // <bin>/benchmarks/job/job
  const std::string bin = ParentDirectory(ParentDirectory(ParentDirectory(self)));
  return JoinPath(bin, "teacher_server/teacher_server");
}

absl::StatusOr<std::vector<Series>> Measure(const BenchOptions& options, FileSystem& files,
                                            Supervisor& supervisor, Job& job, int processors) {
  std::vector<std::unique_ptr<BenchStudent>> students;
  for (int i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(students.emplace_back(), BenchStudent::Create(job.clock));
  }
  ASSIGN_OR_RETURN(const auto direct, DirectTeacher::Create(files, job.plan, *students[0]->data(),
                                                            job.folder, job.clock));
  ASSIGN_OR_RETURN(job.recording, PlanRecording(files, job.plan, {kRun, "", job.folder, 64}));
  LocalTeachersOptions teachers;
  ASSIGN_OR_RETURN(teachers.program, TeacherProgram());
  teachers.run_dir = job.folder;
  teachers.order = job.recording.order;
  teachers.servers = processors;
  teachers.folder = JoinPath(job.folder, "teachers");
  ASSIGN_OR_RETURN(job.addresses, StartLocalTeachers(files, supervisor, teachers));
  RETURN_IF_ERROR(RecordSet(files, job));

  // A live turn begins with an empty window: longer turns, so that this counts less.
  const absl::Duration turn = 3 * options.turn;
  const auto variant = [&](const std::string& name, std::function<absl::Status(int64_t)> work) {
    return Variant{name, Sized(std::move(work), turn, job.clock)};
  };
  const auto call = [&](int threads) {
    return
        [&, threads](int64_t steps) { return TrainDirect(*direct, *students[0], steps, threads); };
  };
  const auto read = [&](int threads) {
    return [&, threads](int64_t steps) { return TrainRecorded(job, *students[2], steps, threads); };
  };
  const auto ask = [&](int64_t steps) { return TrainLive(job, *students[1], steps); };
  return MeasureInterleaved(
      {variant("direct", call(processors)), variant("live", ask),
       variant("recorded", read(processors)), variant("direct_one_thread", call(1)),
       variant("recorded_one_thread", read(1)), variant("direct_again", call(processors))},
      options.rounds, job.clock, UsageOfThisProcess);
}

// A thread for each processor is the faster way where nobody else wants them, and far the
// slower one where somebody does: of each round the better.
Series Faster(const Series& one, const Series& other) {
  Series best = one;
  for (size_t i = 0; i < best.rate.size(); ++i) {
    best.rate[i] = std::max(best.rate[i], other.rate[i]);
  }
  return best;
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  PosixFileSystem files;
  Job job;
  job.clock = &clock;
  ASSIGN_OR_RETURN(job.plan, ReadPlan(files, kPlan, {}, /*seed=*/1));
  char folder[] = "/tmp/distill-job-XXXXXX";
  if (mkdtemp(folder) == nullptr) return absl::InternalError("no folder could be made in /tmp");
  job.folder = folder;
  const absl::Cleanup remove = [&] { files.RemoveTree(job.folder).IgnoreError(); };
  Supervisor supervisor(&clock);
  const int processors = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  auto series = Measure(options, files, supervisor, job, processors);
  supervisor.StopAll(absl::Seconds(10));
  RETURN_IF_ERROR(series.status());

  BenchReport report;
  report.name = "job";
  report.limits = absl::StrCat(
      "The distilled run of ", kPlan, ", one rank of 256 examples, the loop alone. On ", processors,
      "\nprocessors: `direct` computes teacher and student in turn with as many threads; `live` "
      "has ",
      processors,
      "\nteacher servers and a student of one thread each, over loopback, and begins each "
      "turn with\nan empty window; `recorded` has as many threads as `direct`. Of those two and "
      "the same "
      "with\none thread the ratios take the faster of each round. Units are steps; processor time "
      "and\nfaults are the student's process.");
  report.Add("", *series);
  const Series direct = Faster((*series)[0], (*series)[3]);
  report.AddRatio("live", (*series)[1], direct);
  report.AddRatio("recorded", Faster((*series)[2], (*series)[4]), direct);
  report.AddNoise((*series)[0], (*series)[5]);
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(argc, argv, "The main job, live and recorded, over a plain loop.",
                            distill::Run);
}
