#include "cli/plan_file/carets.h"

#include <gtest/gtest.h>

#include <string>

namespace distill {
namespace {

TEST(Carets, ShowTheLineOfEachProblemAndWhereItStands) {
  EXPECT_EQ(WithCarets("p.yaml:2:3: unknown field\np.yaml:1:1: seed: expects a number", "p.yaml",
                       "seed: x\n  stepz: 3\n"),
            "p.yaml:2:3: unknown field\n"
            "      stepz: 3\n"
            "      ^\n"
            "p.yaml:1:1: seed: expects a number\n"
            "    seed: x\n"
            "    ^");
}

TEST(Carets, LeaveProblemsWithoutAPlaceInTheFileAsTheyAre) {
  for (const char* problem : {"", "runs: the plan has no run", "--set a=b: unknown field",
                              "p.yaml: cannot be read", "p.yaml:9:1: beyond the end",
                              "p.yaml:0:1: x", "p.yaml:1:0: x", "p.yaml:a:1: x", "q.yaml:1:1: x"}) {
    EXPECT_EQ(WithCarets(problem, "p.yaml", "seed: x"), problem);
  }
}

TEST(Carets, CutALongLineAroundThePlaceAndShowNoControlCharacters) {
  std::string line(1000, 'a');
  line[600] = 'X';
  line[601] = '\t';
  const std::string shown = WithCarets("p:1:601: x", "p", line);
  const size_t at = shown.find('X');
  ASSERT_NE(at, std::string::npos);
  const size_t begin = shown.rfind('\n', at) + 1;
  const size_t next = shown.find('\n', at) + 1;
  EXPECT_EQ(next - begin, 105u);
  EXPECT_EQ(shown.find('^') - next, at - begin);
  EXPECT_EQ(shown.find('\t'), std::string::npos);
  // One that is at the end of the line, or beyond it.
  EXPECT_EQ(WithCarets("p:1:9: x", "p", "ab"), "p:1:9: x\n    ab\n      ^");
}

}  // namespace
}  // namespace distill
