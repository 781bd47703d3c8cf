#include "cli/errors/error_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/status/error_id.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ErrorReference, ExplainsAnIdHoweverItIsWritten) {
  for (const char* name : {"DST-2101", "dst-2101", "2101"}) {
    const auto entry = FindErrorByName(name);
    ASSERT_TRUE(entry.ok()) << name;
    EXPECT_THAT(ErrorText(*entry), HasSubstr("DST-2101  The disk or a quota is full."));
    EXPECT_THAT(ErrorText(*entry), HasSubstr("What to do:   Free space"));
    EXPECT_THAT(ErrorText(*entry), HasSubstr("docs/errors.md#dst-2101"));
  }
}

TEST(ErrorReference, OffersTheNearestIdForOneThatThereIsNot) {
  for (const char* name : {"DST-1199", "1199", "DST1101", "DTS-1101"}) {
    const auto entry = FindErrorByName(name);
    EXPECT_THAT(std::string(entry.status().message()), HasSubstr("did you mean DST-1")) << name;
    EXPECT_EQ(ErrorIdOf(entry.status()), ErrorId::kUnknownErrorId);
  }
  EXPECT_THAT(std::string(FindErrorByName("what is wrong").status().message()),
              HasSubstr("distillctl explain lists all"));
}

TEST(ErrorReference, ListsEveryIdForPeopleAndForScripts) {
  const std::string text = ErrorListText(ErrorCatalogue(), 1000, /*headers=*/true);
  const std::string names = ErrorNames(ErrorCatalogue());
  const auto json = nlohmann::json::parse(ErrorsJson(ErrorCatalogue()));
  EXPECT_EQ(json["version"], 1);
  ASSERT_EQ(json["errors"].size(), ErrorCatalogue().size());
  for (size_t i = 0; i < ErrorCatalogue().size(); ++i) {
    const std::string id = ErrorIdName(ErrorCatalogue()[i].id);
    EXPECT_THAT(text, HasSubstr("  " + id + "  "));
    EXPECT_THAT(names, HasSubstr(id + "\n"));
    EXPECT_EQ(json["errors"][i]["id"], id);
    for (const char* field : {"group", "meaning", "causes", "what_to_do", "page"}) {
      EXPECT_TRUE(json["errors"][i][field].is_string()) << id << field;
    }
  }
}

TEST(ErrorReference, AListIsCutToItsWidthAndGoesWithoutGroupsWhereAsked) {
  const auto two = ErrorCatalogue().subspan(0, 2);
  EXPECT_EQ(ErrorListText(two, 14, /*headers=*/false), "DST-1000  Th..\nDST-1001  Th..\n");
  EXPECT_THAT(ErrorListText(two, 1000, /*headers=*/true), Not(StartsWith("DST-")));
}

TEST(ErrorReference, ThePageInDocsIsTheTable) {
  std::ifstream file("docs/errors.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), ErrorsPage(ErrorCatalogue()))
      << "write it anew: distillctl explain -o markdown >docs/errors.md";
}

}  // namespace
}  // namespace distill
