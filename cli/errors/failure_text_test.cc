#include "cli/errors/failure_text.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

TEST(FailureText, NamesTheErrorsOwnIdAndWhereMoreStands) {
  const absl::Status status =
      WithErrorId(absl::NotFoundError("/r holds no plan"), ErrorId::kNoPlanHere);
  EXPECT_EQ(FailureText(WithSomeId(status, ExitCode::kData), ExitCode::kData),
            "distillctl: /r holds no plan [DST-2302]\nMore: distillctl explain DST-2302");
}

TEST(FailureText, GivesAnErrorWithoutOneTheIdOfItsGroup) {
  const std::pair<ExitCode, const char*> groups[] = {
      {ExitCode::kRunFailed, "DST-4000"},     {ExitCode::kUsage, "DST-1000"},
      {ExitCode::kConfiguration, "DST-1100"}, {ExitCode::kUnreachable, "DST-3000"},
      {ExitCode::kRefused, "DST-3100"},       {ExitCode::kPreempted, "DST-4101"},
      {ExitCode::kData, "DST-2000"},          {ExitCode::kInterrupted, "DST-4102"}};
  for (const auto& [code, id] : groups) {
    EXPECT_EQ(WithSomeId(absl::InternalError("x"), code), std::string("x [") + id + "]");
  }
}

TEST(FailureText, GivesWhatIsUsedUpTheIdOfTheMachine) {
  EXPECT_EQ(WithSomeId(absl::ResourceExhaustedError("no more"), ExitCode::kRunFailed),
            "no more [DST-6000]");
}

TEST(FailureText, KeepsAnIdThatAnotherProcessPutIntoTheText) {
  const std::string text = "run \"a\": student-0: diverged [DST-4001]\ncontinue with: x";
  EXPECT_EQ(WithSomeId(text, ExitCode::kRunFailed), text);
  EXPECT_EQ(FailureText(text, ExitCode::kRunFailed),
            "distillctl: " + text + "\nMore: distillctl explain DST-4001");
}

TEST(FailureText, OfALostProcessNamesTheIdOfThisEndAndNoneOfAnEarlierStart) {
  // Logs are appended to: this line is of the start before.
  const std::string text = LossText("s", "s was killed by SIGSEGV", ErrorId::kKilledBySignal, false,
                                    "/r/s.log", "s: diverged [DST-4001]\nstep 7");
  EXPECT_EQ(text,
            "s was killed by SIGSEGV; the end of /r/s.log:\ns: diverged [DST-4001]\nstep 7\n"
            "How s ended: [DST-4004]");
  EXPECT_EQ(FailureText(text + "\ncontinue with: x", ExitCode::kRunFailed),
            "distillctl: " + text + "\ncontinue with: x\nMore: distillctl explain DST-4004");
}

TEST(FailureText, OfALostProcessKeepsTheIdThatItToldItself) {
  const auto text = [](bool told, const std::string& end) {
    return LossText("s", "s ended with exit code 1", ErrorId::kProcessExited, told, "/l", end);
  };
  EXPECT_EQ(text(true, "s: diverged [DST-4001]"),
            "s ended with exit code 1; the end of /l:\ns: diverged [DST-4001]");
  EXPECT_EQ(text(true, "no word of it"),
            "s ended with exit code 1; the end of /l:\nno word of it\nHow s ended: [DST-4007]");
  EXPECT_EQ(text(true, ""), "s ended with exit code 1 [DST-4007]");
}

}  // namespace
}  // namespace distill
