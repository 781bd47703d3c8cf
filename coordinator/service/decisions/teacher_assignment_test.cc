#include "coordinator/service/decisions/teacher_assignment.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

using Assignment = std::map<std::string, std::string>;

TEST(AssignTeachers, SpreadsServersOverTheNeededModels) {
  EXPECT_EQ(AssignTeachers({{"t0", {}, ""}, {"t1", {}, ""}, {"t2", {}, ""}}, {"a", "b"}, {}),
            (Assignment{{"t0", "a"}, {"t1", "b"}, {"t2", "a"}}));
  EXPECT_EQ(AssignTeachers({{"t0", {}, ""}}, {}, {}), Assignment{});
}

TEST(AssignTeachers, KeepsWhatIsServedOrLoadedAndStillNeeded) {
  EXPECT_EQ(AssignTeachers({{"t0", {}, ""}, {"t1", {}, "b"}}, {"a", "b"}, {{"t0", "a"}}),
            (Assignment{{"t0", "a"}, {"t1", "b"}}));
  EXPECT_EQ(AssignTeachers({{"t0", {}, ""}}, {"b"}, {{"t0", "a"}}), (Assignment{{"t0", "b"}}));
}

TEST(AssignTeachers, GivesAServerOnlyAModelThatItMayLoad) {
  EXPECT_EQ(AssignTeachers({{"t0", {"b"}, ""}, {"t1", {"c"}, ""}}, {"a", "b"}, {}),
            (Assignment{{"t0", "b"}}));
}

TEST(AssignTeachers, AModelWithoutServersTakesOneFromTheRichestButNeverTheLast) {
  EXPECT_EQ(
      AssignTeachers({{"t0", {}, ""}, {"t1", {}, ""}}, {"a", "b"}, {{"t0", "a"}, {"t1", "a"}}),
      (Assignment{{"t0", "b"}, {"t1", "a"}}));
  EXPECT_EQ(AssignTeachers({{"t0", {}, ""}}, {"a", "b"}, {{"t0", "a"}}), (Assignment{{"t0", "a"}}));
}

}  // namespace
}  // namespace distill
