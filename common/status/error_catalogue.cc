#include "common/status/error_catalogue.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

constexpr char kPrefix[] = "DST-";

constexpr ErrorEntry kCatalogue[] = {
    {ErrorId::kAnyUsage, "The command line was not understood.",
     "A word, a flag or its value is not one that the command takes.",
     "Read what the command takes: distillctl COMMAND --help."},
    {ErrorId::kUnknownCommand, "There is no command of that name.",
     "A misspelt command, or one of another version of distillctl.",
     "Take the nearest name that the message offers, or list them: distillctl --help."},
    {ErrorId::kUnknownFlag, "The command takes no such flag or argument.",
     "A misspelt flag, a flag of another command, or one argument too many.",
     "Take the nearest name that the message offers, or read distillctl COMMAND --help. A value "
     "that begins with '-' is written --flag=VALUE."},
    {ErrorId::kMissingArgument, "A flag or argument that is required is missing.",
     "The command was cut short, or a variable in a script is empty.",
     "Give what the message names; distillctl COMMAND --help shows an example."},
    {ErrorId::kBadArgument, "The value of a flag or argument is not of its kind.",
     "A number out of its range, text where a number is due, or two flags that exclude one "
     "another.",
     "Correct the value; distillctl COMMAND --help says what is allowed."},
    {ErrorId::kUnknownErrorId, "There is no error, field or metric of that name.",
     "A misspelt name, or one of another version.",
     "Take the nearest one that the message offers; distillctl explain lists all errors, config "
     "explain all fields, metrics list all metrics."},
    {ErrorId::kNotConfirmed, "The command ends work and was not confirmed.",
     "On a terminal distillctl asks before it ends work, and the name typed was not the plan's. "
     "Without a terminal it asks nobody, and --yes was not given.",
     "Type the plan's name, or give --yes."},
    {ErrorId::kAnyConfiguration, "The plan cannot be carried out as it is written.",
     "A value that its field does not take, or one that does not fit the data.",
     "Correct what the message names; distillctl config explain FIELD says what a field means."},
    {ErrorId::kUnknownField, "The plan has a field that there is not.",
     "A misspelt field, a field one level too high or too low, or one of another version.",
     "Take the name that the message offers; distillctl config explain lists all."},
    {ErrorId::kIllTypedValue, "A value in the plan is of another type than its field.",
     "Text where a number is due, a list where one value is due, or a number out of range.",
     "Correct it at the line and column given; distillctl config explain FIELD says its type."},
    {ErrorId::kFieldGivenTwice, "A field of the plan is given twice, or beside one it excludes.",
     "A block was copied, or two alternatives of one choice were both written.",
     "Remove one of the two; the message says where the other stands."},
    {ErrorId::kPlanUnreadable, "The file of the plan cannot be read.",
     "A misspelt path, another working directory, or missing permission.",
     "Check the path; it is relative to the folder in which distillctl was started."},
    {ErrorId::kNotYaml, "The plan is not valid YAML or JSON, or holds nothing.",
     "Indentation, a bracket or quote that is not closed, a tab, or a second document.",
     "Correct it at the line and column given."},
    {ErrorId::kBadSetting, "A --set cannot be applied.",
     "It lacks '=', or its path names no field or no entry of a list.",
     "Write --set field.path=value; entries of lists are named by number or name, such as "
     "runs.student.training.steps=100."},
    {ErrorId::kPlanDoesNotHold, "Fields of the plan contradict one another or their bounds.",
     "A name that the plan does not define, a batch that the ranks do not divide, a value out of "
     "its range.",
     "All problems are listed at once: correct each, then distillctl config validate."},
    {ErrorId::kRunsInACircle, "Runs of the plan wait for one another as teachers.",
     "A run names as its teacher one that is itself taught, directly or not, by it.",
     "Break the circle: a teacher is trained before its students."},
    {ErrorId::kConfigurationTooLarge, "The plan is larger or nested deeper than is read.",
     "Another kind of file was named, or aliases multiply themselves.",
     "Check the path; a plan has at most 1 MiB."},
    {ErrorId::kNoSuchRun, "The plan has no run of that name.",
     "A misspelt name, or the plan of another run directory.",
     "Take one of the names that the message lists."},
    {ErrorId::kNoSuchTeacher, "The run has no such teacher, or several to choose from.",
     "The run is trained without a teacher, or --role is missing or misspelt.",
     "Name a run with a teacher by --run, and which by --role."},

    {ErrorId::kAnyData, "Data cannot be used.",
     "A file is missing, damaged or of another kind than the plan says.",
     "Check the file that the message names, and get it anew if it is damaged."},
    {ErrorId::kFileMissing, "A file or folder is not there.",
     "A misspelt path, a disk that is not mounted, or another process that removed it.",
     "Check the path."},
    {ErrorId::kDataFilesMissing, "Data files of the plan cannot be read.",
     "They were not downloaded yet, or their paths are relative to another folder than the "
     "plan's.",
     "Get the files listed, or correct their paths: they start from the folder of the plan."},
    {ErrorId::kDataTruncated, "A data file ends before its header says it does.",
     "A download or copy that was cut off, or a full disk while it was written.",
     "Get the file anew."},
    {ErrorId::kDataAltered, "A data file is not the one whose SHA-256 the plan names.",
     "The file was replaced or damaged, or the plan is for another version of the data.",
     "Get the file anew, or correct sha256 in the plan if the change is meant."},
    {ErrorId::kDataFormat, "A data file is of a format or element type that is not read.",
     "Another file under that path, big-endian or compressed arrays, pickled objects.",
     "Convert it as the message says; IDX and .npy are read."},
    {ErrorId::kLabelOutsideClasses, "An example has a label outside the classes of the data set.",
     "data_sets.classes is too small, labels start at 1, or the file holds something else.",
     "Set data_sets.classes to the number there are; -1 marks an example without a label."},
    {ErrorId::kExampleNotFinite, "An example holds a value that is not finite.",
     "NaN for missing values, or a division by zero in preprocessing.",
     "Replace such values, or drop the example, and write the file anew."},
    {ErrorId::kDiskFull, "The disk or a quota is full.",
     "Checkpoints, logs or label sets fill it, or another user does.",
     "Free space (distillctl doctor shows how much there is), then distillctl resume DIR."},
    {ErrorId::kFileTooLarge, "A file would be larger than the system lets it be.",
     "A limit of the shell or service (ulimit -f), or of the file system.",
     "Raise the limit, then distillctl resume DIR."},
    {ErrorId::kNoPermission, "The system does not permit it.",
     "The folder belongs to another user, or is mounted read-only.",
     "Change owner or mode, or name another folder."},
    {ErrorId::kDiskBroken, "The disk failed to read or write (an input/output error).",
     "A failing disk, or a network file system that lost its server.",
     "Look into the system's log (dmesg); do not trust what was written last."},
    {ErrorId::kNotAFolder, "A file stands where a folder is due, or the reverse.",
     "A misspelt path.", "Name another path, or move what is there."},
    {ErrorId::kNoLabelSet, "There is no label set in that folder.",
     "It was not recorded yet, or not to its end.",
     "Record it: distillctl label; the same command goes on where it was stopped."},
    {ErrorId::kLabelSetDamaged, "A label set is torn or has changed since it was recorded.",
     "A copy that was cut off, a failing disk, or edited files.",
     "Record it again with the same command, which keeps the parts that are sound."},
    {ErrorId::kLabelSetOfOthers, "A label set was recorded for something else than is asked for.",
     "The teacher was trained anew, or data, views, seed, output or codec differ.",
     "Record another set with distillctl label, or name the one that belongs to this plan."},
    {ErrorId::kFolderInUse, "Another process works in that folder.",
     "The same recording was started twice.", "Wait for its end, stop it, or take another folder."},
    {ErrorId::kNoFixedViews, "Labels of these views cannot be recorded.",
     "view.views_per_example is 0, so that every epoch sees each example in a new view.",
     "Set view.views_per_example to the number of views to record, such as 4."},
    {ErrorId::kNotALabelSetFolder, "A folder that was named for a label set holds other files.",
     "A misspelt --out, or the run directory in place of a folder for the set.",
     "Name a folder that is new, empty, or holds the set that is to go on."},
    {ErrorId::kRunDirectoryNotEmpty, "The run directory exists and is not empty.",
     "The command was given twice, or the folder holds something else.",
     "Go on with what is there (distillctl resume DIR), or choose another --run-dir."},
    {ErrorId::kNoPlanHere, "The folder holds no plan.",
     "A misspelt path, or the folder of one run instead of the one that holds all.",
     "Name the folder that was given as --run-dir, or start a plan: distillctl run."},
    {ErrorId::kAnotherPlanHere, "The run directory holds another plan.",
     "It was used for a former plan, or the coordinator that was named has another one.",
     "Give each plan a --run-dir of its own, or name the coordinator that has this one."},
    {ErrorId::kProcessListDamaged, "processes.json of the run directory is damaged.",
     "It was edited, or a disk was full.", "Remove the file; it is written anew."},
    {ErrorId::kPlanRunsElsewhere,
     "The plan of this run directory was submitted to a coordinator that runs elsewhere.",
     "distillctl run --coordinator: only that coordinator knows what was committed, and its "
     "workers may be writing here.",
     "Go on with it there: distillctl resume DIR --coordinator host:port. submitted_to.txt in the "
     "directory names it."},
    {ErrorId::kJournalMissing,
     "The run directory has results but no journal of which of them were committed.",
     "coordinator.sqlite was removed, or left out of a copy.",
     "Put the journal back, or run the plan in a new directory: without it every run would begin "
     "again over what is there."},
    {ErrorId::kNoExport, "A run has no exported model.",
     "It has not finished, or the folder is that of another plan.",
     "Let it finish: distillctl run, or distillctl resume DIR."},
    {ErrorId::kExportDamaged, "An exported model is not as it was written.",
     "A file of the export was changed, copied in part, or is of another export.",
     "Export the model again by running its plan to the end."},
    {ErrorId::kCheckpointDamaged, "A checkpoint is damaged.",
     "A file was changed or copied in part, or the disk lost it.",
     "Restore the file from a copy, or start the plan in a new run directory."},
    {ErrorId::kCheckpointOfAnotherPlan, "A checkpoint belongs to another configuration or data.",
     "The plan, the data set or a teacher changed since it was written.",
     "Restore what was there, or start the plan in a new run directory."},
    {ErrorId::kJournalDamaged, "The coordinator's journal is damaged.",
     "The disk lost writes, or the file was changed.",
     "Restore coordinator.sqlite from a copy, or start the plan in a new run directory."},
    {ErrorId::kJournalOfAnotherVersion, "The coordinator's journal is of another version or kind.",
     "It was written by a newer coordinator, or is another file.",
     "Start the version that wrote it, or name another run directory."},
    {ErrorId::kJournalInUse, "A coordinator works on that run directory already.",
     "The plan runs, or a second coordinator was started on its folder.",
     "Follow it with distillctl watch DIR, or stop it first: distillctl stop DIR."},
    {ErrorId::kProgramsNotAllowed, "A model from a file is a program, and this process loads none.",
     "The process was started without --model-dir or without --allow-executable-models.",
     "If you trust who made the file, give both flags, to the command or to the process that "
     "was started by hand."},
    {ErrorId::kProgramNotInManifest, "A model file is not in the manifest of its folder.",
     "The file is new, or the manifest was not written yet.",
     "Look at the file; if you trust who made it: distillctl model manifest DIR."},
    {ErrorId::kProgramChanged, "A model file is not the one that the manifest or the plan names.",
     "It was replaced since, or sha256 in the plan is that of another.",
     "Put the former file back; or, if you trust who changed it, distillctl model manifest DIR "
     "and correct sha256 in the plan."},
    {ErrorId::kModelManifestUnreadable, "The manifest of a model directory cannot be read.",
     "It was edited, copied in part, or written by another version.",
     "Look at the models, remove manifest.json, then distillctl model manifest DIR."},

    {ErrorId::kAnyUnreachable, "Another process did not answer in time.",
     "It does not run, is overloaded, or the network between is cut.",
     "Look whether it runs (distillctl status DIR) and into its log, DIR/logs."},
    {ErrorId::kCoordinatorUnreachable, "The coordinator does not answer.",
     "It does not run, runs at another address, or a firewall is between.",
     "Check the address, and its log; distillctl doctor checks this machine."},
    {ErrorId::kNothingRunsHere, "Nothing that distillctl started runs for this directory here.",
     "The plan is done or was stopped, runs on another machine, or was started by hand.",
     "Go on with distillctl resume DIR, or name the coordinator: --coordinator HOST:PORT."},
    {ErrorId::kConnectionLost, "A connection was lost during a call.",
     "The other process ended, or the network dropped it.",
     "The same command may be given again; look into the other process's log."},
    {ErrorId::kAnyRefusal, "Another process, or the state of the plan, does not allow it.",
     "It was meant for another plan, another version, or another time.",
     "Do what the message says; distillctl status DIR shows the state of the plan."},
    {ErrorId::kPortTaken, "A port cannot be listened on.",
     "Another process listens there, or the address is not of this machine.",
     "Stop that process (ss -ltnp names it), or give another port; port 0 takes a free one."},
    {ErrorId::kBadAddress, "An address is not of the form host:port.",
     "The port is missing or above 65535, or a host name stands where an address is due.",
     "Write it as in 127.0.0.1:7000."},
    {ErrorId::kPlaintextRefused, "The connection would leave this machine unencrypted.",
     "An address that is not loopback, without leave to go there in plain text.",
     "Keep to 127.0.0.1, or give --allow-plaintext on a network that you trust."},
    {ErrorId::kNameInUse, "Another living process has that name.",
     "Two processes of a plan were started with the same --name.",
     "Stop one, or give it another --name; the name of a process that died is free after some "
     "seconds."},
    {ErrorId::kCoordinatorReplaced, "Another coordinator has taken over the journal.",
     "Two coordinators were started on one run directory.", "Keep the newer one only."},
    {ErrorId::kPlanRunsAlready, "The coordinator has another plan that still runs.",
     "A second plan was submitted to it.",
     "Wait for the end of the first, or stop it: distillctl stop DIR --coordinator HOST:PORT."},
    {ErrorId::kNoPlanSubmitted, "The coordinator has no plan.",
     "It was just started, or is the coordinator of another run directory.",
     "Submit one: distillctl run CONFIG --run-dir DIR --coordinator HOST:PORT."},
    {ErrorId::kPlanHasEnded, "The plan has ended already.",
     "It finished, failed or was stopped before the command arrived.",
     "distillctl status DIR says how; one that failed or was stopped can be resumed."},

    {ErrorId::kAnyRunFailure, "A run failed.",
     "The message names the process and its reason; it is the first that failed.",
     "Look into the log that it names, DIR/logs; then distillctl resume DIR."},
    {ErrorId::kLossNotFinite, "A loss is no longer a finite number: training has diverged.",
     "A learning rate that is too high, or data of another scale.",
     "Lower schedules.learning_rate or set training.gradient_clip_norm, in a new run directory. "
     "What "
     "the step computed on is kept beside its logs, in DIR/<run>/diverged.rank<r>.safetensors."},
    {ErrorId::kGradientNotFinite, "A gradient is no longer finite: training has diverged.",
     "A learning rate that is too high, or data of another scale.",
     "Lower schedules.learning_rate or training.gradient_clip_norm, in a new run directory. What "
     "the "
     "step computed on is kept beside its logs, in DIR/<run>/diverged.rank<r>.safetensors."},
    {ErrorId::kRanksDiffer, "The models of the ranks of one run have come to differ.",
     "Hosts with other processors or other builds.",
     "Run all ranks on one kind of host with one build."},
    {ErrorId::kKilledBySignal, "A process was killed by a signal.",
     "A crash (SIGSEGV, SIGABRT), or somebody sent it.",
     "Look into its log; then distillctl resume DIR. A crash that comes again is a bug: report "
     "it with the log."},
    {ErrorId::kKilledLikelyForMemory, "A process was killed by SIGKILL, often for memory.",
     "The system or the container ran out of memory, or somebody sent the signal.",
     "dmesg or the container's events say whether it was memory. Use smaller batches or fewer "
     "processes, or raise the limit (distillctl doctor shows it); then distillctl resume DIR."},
    {ErrorId::kProcessLeft, "A process left before the plan was done.", "Somebody told it to stop.",
     "distillctl resume DIR goes on."},
    {ErrorId::kProcessExited, "A process of the plan ended with an error.",
     "The end of its log, which the message quotes, says why.",
     "Remove the cause, then distillctl resume DIR."},
    {ErrorId::kRankLost, "A rank of a run was lost, or is too slow for the others.",
     "A student worker died, its host is gone, or the network between ranks is cut.",
     "The run goes on from its last checkpoint once the rank is back."},
    {ErrorId::kNoGrant, "The coordinator has not allowed further steps in time.",
     "It stopped, or cannot be reached.", "Look whether it runs; then distillctl resume DIR."},
    {ErrorId::kNotReadyInTime, "A process was not ready in time.",
     "A slow or loaded machine, a model that takes long to load, or a hung file system.",
     "Look into its log; try again when the machine is less busy."},
    {ErrorId::kEvaluationTooSlow, "The comparison of the models did not end in time.",
     "A test split or a model too large for this machine.",
     "Give processes.threads more; then distillctl resume DIR."},
    {ErrorId::kStoppedResumable, "The plan was stopped after a checkpoint.",
     "distillctl stop, or a signal such as a machine that shuts down sends.",
     "distillctl resume DIR goes on."},
    {ErrorId::kInterrupted, "The command was interrupted.", "Ctrl-C.",
     "distillctl resume DIR goes on; a recording goes on with the same command."},

    {ErrorId::kAnyTeacher, "A teacher cannot be used.",
     "It is of another plan, data set or version than the student.",
     "Look into the teacher server's log; distillctl status DIR names its state."},
    {ErrorId::kNoTeacherReady, "No teacher server has served the run for too long.",
     "None runs, all failed, or none can be reached from the student.",
     "distillctl status DIR and the teachers' logs say why; start one again, then distillctl "
     "resume DIR."},
    {ErrorId::kTeacherFingerprint, "A teacher is not the one that the run names.",
     "It was trained anew, or the server loads the export of another plan.",
     "Give all servers the same run directory; a plan trains with one teacher to its end."},
    {ErrorId::kTeacherClasses, "Teacher and student have another number of classes.",
     "They were trained on different data sets.", "Train both on data with the same classes."},
    {ErrorId::kTeacherShape, "The teacher reads examples of another shape than the student has.",
     "They were trained on different data sets, or examples were resized.",
     "Train both on examples of one shape."},
    {ErrorId::kCanaryFailed, "A teacher does not answer as it did when it was exported.",
     "Damaged weights, other preprocessing, or a build that computes otherwise.",
     "Restart that server; if it fails again, export the model again or replace the host."},
    {ErrorId::kTeacherNotFinite, "A teacher gave values that are not finite.",
     "Its weights are damaged or it was trained until it diverged.",
     "Check its weights, and examples that are far from what it was trained on."},
    {ErrorId::kTeacherConstant, "A teacher gave the same value for all classes.",
     "It is not trained, or its preprocessing turns every example into the same.",
     "Check that it is trained and gets its examples as in training."},
    {ErrorId::kTeacherData, "A teacher server has other data than the student.",
     "Other files, another split, or another preprocessing on that host.",
     "Give both the same data files and the same data_sets of one plan."},
    {ErrorId::kTeacherCodec, "Teacher and student have no label codec in common.",
     "Servers of different releases, or a codec that does not fit the objective.",
     "Run one release on all servers, or change labels.codecs."},
    {ErrorId::kModelNotServed, "That model or output is not served there.",
     "The server has another model, or the plan asks for an output that it lacks.",
     "Let the coordinator assign servers, or name an output that the message lists."},
    {ErrorId::kTeacherOverloaded, "A teacher server takes no more now.",
     "More students ask than it can answer.",
     "It is asked again by itself; add teacher servers if it lasts (processes.teacher_servers)."},

    {ErrorId::kAnyMachine, "The machine or a fixed bound gives no more of something.",
     "Memory, a disk, processes, or a bounded queue.",
     "distillctl doctor checks the machine; the message names what is used up."},
    {ErrorId::kProgramMissing, "A program that distillctl starts is missing.",
     "It was not built, or distillctl was copied without the programs beside it.",
     "Build it: bazel build //cli:distillctl builds all; keep the programs beside distillctl."},
    {ErrorId::kOutOfMemory, "The machine gives no more memory.",
     "Batches, caches or processes that are too large or too many for it.",
     "Make them smaller, or run fewer; distillctl doctor shows the limit."},
    {ErrorId::kTooManyFiles, "The process may open no more files.",
     "A low limit of open files (ulimit -n).", "Raise the limit; distillctl doctor shows it."},
    {ErrorId::kNoProcess, "The system starts no further process.",
     "A limit of processes (ulimit -u, the container's pids limit) or no memory.",
     "Raise the limit, or run fewer processes."},
};

}  // namespace

std::span<const ErrorEntry> ErrorCatalogue() { return kCatalogue; }

const ErrorEntry* FindError(int number) {
  const auto found = std::ranges::find_if(kCatalogue, [number](const ErrorEntry& entry) {
    return static_cast<int>(entry.id) == number;
  });
  return found == std::end(kCatalogue) ? nullptr : &*found;
}

std::string ErrorIdName(ErrorId id) { return absl::StrCat(kPrefix, static_cast<int>(id)); }

int ErrorNumberOf(std::string_view name) {
  std::string digits(name);
  if (absl::StartsWithIgnoreCase(digits, kPrefix)) digits.erase(0, sizeof(kPrefix) - 1);
  int number = 0;
  const bool plain = digits.size() == 4 &&
                     std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  return plain && absl::SimpleAtoi(digits, &number) ? number : 0;
}

const char* ErrorGroup(ErrorId id) {
  switch (static_cast<int>(id) / 1000) {
    case 1:
      return "Usage and configuration";
    case 2:
      return "Data and files";
    case 3:
      return "Network and peers";
    case 4:
      return "A run";
    case 5:
      return "Teachers";
    default:
      return "The machine";
  }
}

}  // namespace distill
