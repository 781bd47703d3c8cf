#include "cli/local_run/lost_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <string>

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// As of waitpid(2).
ProcessExit Exited(int code) { return {"student-0", 7, code << 8}; }

class LostProcessTest : public ::testing::Test {
 protected:
  LostProcessTest() : log_(testing::TempDir() + "/student-0.log") {}
  void Log(const std::string& text) { std::ofstream(log_) << text; }

  const std::string log_;
};

TEST_F(LostProcessTest, OneThatWasToldToStopAndDidIsNoFailureOfItsOwn) {
  Log("student-0: stopped by a signal [DST-4101]\n");
  for (const int code : {0, 6}) {
    const std::string why = WhyLost(Exited(code), log_);
    EXPECT_THAT(why, HasSubstr("student-0 ended with exit code " + std::to_string(code) +
                               " before the plan was done: somebody told it to stop [DST-4006]"));
    EXPECT_THAT(why, Not(HasSubstr("DST-4101")));
  }
}

TEST_F(LostProcessTest, OneThatFailedSpeaksForItselfThroughItsLog) {
  Log("one\nstudent-0: the loss is not finite [DST-4001]\n");
  const std::string why = WhyLost(Exited(1), log_);
  EXPECT_THAT(why, HasSubstr("student-0 ended with exit code 1; the end of " + log_));
  EXPECT_THAT(why, HasSubstr("[DST-4001]"));
  EXPECT_THAT(why, Not(HasSubstr("DST-4007")));
}

TEST_F(LostProcessTest, OneThatWasKilledOrSaidNothingHasAnIdAllTheSame) {
  Log("student-0: former words [DST-4001]\n");
  EXPECT_THAT(WhyLost({"student-0", 7, SIGKILL}, log_),
              AllOf(HasSubstr("SIGKILL (often: out of memory)"), EndsWith("[DST-4005]")));
  EXPECT_THAT(WhyLost(Exited(3), log_ + ".none"), HasSubstr("exit code 3 [DST-4007]"));
}

}  // namespace
}  // namespace distill
