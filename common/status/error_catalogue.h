// Every kind of error that people meet: the one table with its stable id, what it means,
// its usual causes and what to do. `distillctl explain DST-1101` prints a row and
// docs/errors.md holds the table. An id is never given to another kind and never used again;
// the sentence of an error may change, its id does not.
#ifndef COMMON_STATUS_ERROR_CATALOGUE_H_
#define COMMON_STATUS_ERROR_CATALOGUE_H_

#include <span>
#include <string>
#include <string_view>

namespace distill {

// The number of an id. Each thousand is a group: 1 usage and configuration, 2 data and files,
// 3 network and peers, 4 a run, 5 teachers, 6 the machine. kAny...: an error of the group that
// has no id of its own.
enum class ErrorId {
  kAnyUsage = 1000,
  kUnknownCommand = 1001,
  kUnknownFlag = 1002,
  kMissingArgument = 1003,
  kBadArgument = 1004,
  kUnknownErrorId = 1005,
  kNotConfirmed = 1006,
  kAnyConfiguration = 1100,
  kUnknownField = 1101,
  kIllTypedValue = 1102,
  kFieldGivenTwice = 1103,
  kPlanUnreadable = 1104,
  kNotYaml = 1105,
  kBadSetting = 1106,
  kPlanDoesNotHold = 1107,
  kRunsInACircle = 1108,
  kConfigurationTooLarge = 1109,
  kNoSuchRun = 1110,
  kNoSuchTeacher = 1111,

  kAnyData = 2000,
  kFileMissing = 2001,
  kDataFilesMissing = 2002,
  kDataTruncated = 2003,
  kDataAltered = 2004,
  kDataFormat = 2005,
  kLabelOutsideClasses = 2006,
  kExampleNotFinite = 2007,
  kDiskFull = 2101,
  kFileTooLarge = 2102,
  kNoPermission = 2103,
  kDiskBroken = 2104,
  kNotAFolder = 2105,
  kNoLabelSet = 2201,
  kLabelSetDamaged = 2202,
  kLabelSetOfOthers = 2203,
  kFolderInUse = 2204,
  kNoFixedViews = 2205,
  kNotALabelSetFolder = 2206,
  kRunDirectoryNotEmpty = 2301,
  kNoPlanHere = 2302,
  kAnotherPlanHere = 2303,
  kProcessListDamaged = 2304,
  kPlanRunsElsewhere = 2305,
  kJournalMissing = 2306,
  kNoExport = 2401,
  kExportDamaged = 2402,
  kCheckpointDamaged = 2501,
  kCheckpointOfAnotherPlan = 2502,
  kJournalDamaged = 2503,
  kJournalOfAnotherVersion = 2504,
  kJournalInUse = 2505,
  kProgramsNotAllowed = 2601,
  kProgramNotInManifest = 2602,
  kProgramChanged = 2603,
  kModelManifestUnreadable = 2604,

  kAnyUnreachable = 3000,
  kCoordinatorUnreachable = 3001,
  kNothingRunsHere = 3002,
  kConnectionLost = 3003,
  kAnyRefusal = 3100,
  kPortTaken = 3101,
  kBadAddress = 3102,
  kPlaintextRefused = 3103,
  kNameInUse = 3104,
  kCoordinatorReplaced = 3105,
  kPlanRunsAlready = 3106,
  kNoPlanSubmitted = 3107,
  kPlanHasEnded = 3108,

  kAnyRunFailure = 4000,
  kLossNotFinite = 4001,
  kGradientNotFinite = 4002,
  kRanksDiffer = 4003,
  kKilledBySignal = 4004,
  kKilledLikelyForMemory = 4005,
  kProcessLeft = 4006,
  kProcessExited = 4007,
  kRankLost = 4008,
  kNoGrant = 4009,
  kNotReadyInTime = 4010,
  kEvaluationTooSlow = 4011,
  kStoppedResumable = 4101,
  kInterrupted = 4102,

  kAnyTeacher = 5000,
  kNoTeacherReady = 5001,
  kTeacherFingerprint = 5002,
  kTeacherClasses = 5003,
  kTeacherShape = 5004,
  kCanaryFailed = 5005,
  kTeacherNotFinite = 5006,
  kTeacherConstant = 5007,
  kTeacherData = 5008,
  kTeacherCodec = 5009,
  kModelNotServed = 5010,
  kTeacherOverloaded = 5011,

  kAnyMachine = 6000,
  kProgramMissing = 6001,
  kOutOfMemory = 6002,
  kTooManyFiles = 6003,
  kNoProcess = 6004,
};

struct ErrorEntry {
  ErrorId id{};
  // A sentence.
  const char* meaning = "";
  // Sentences, the likeliest cause first.
  const char* causes = "";
  const char* what_to_do = "";
};

// By rising id.
std::span<const ErrorEntry> ErrorCatalogue();

// Null where there is none of that number.
const ErrorEntry* FindError(int number);

// "DST-1101".
std::string ErrorIdName(ErrorId id);

// The number of "DST-1101", "dst-1101" or "1101"; 0 for what is none of these.
int ErrorNumberOf(std::string_view name);

// "Usage and configuration" for 1000 to 1999, and so on.
const char* ErrorGroup(ErrorId id);

}  // namespace distill

#endif  // COMMON_STATUS_ERROR_CATALOGUE_H_
