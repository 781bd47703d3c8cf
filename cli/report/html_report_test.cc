#include "cli/report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/fake_file_system.h"
#include "student_worker/accounting/phase_clock.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class HtmlReportTest : public ::testing::Test {
 protected:
  HtmlReportTest() {
    report_.set_plan("small");
    report_.set_reference("teacher");
    for (const char* run : {"teacher", "distilled"}) {
      (*report_.mutable_models())[run].set_test_accuracy(0.875);
    }
  }
  std::string Render() { return RenderHtml(report_, {"teacher", "distilled", "gone"}, records_); }
  // What the page's script draws.
  nlohmann::json Charts() {
    const std::string page = Render();
    const std::string open = "id=\"curves\">";
    const size_t begin = page.find(open) + open.size();
    return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  }

  v1::Report report_;
  std::map<std::string, RunRecords> records_;
};

TEST_F(HtmlReportTest, EveryRunHasItsRowVerdictCurvesAndPhases) {
  (*report_.mutable_models())["distilled"].set_verdict("teacher-bound: 40%");
  records_["distilled"].curves["loss/total"] = {{10, 2}, {20, 1}};
  records_["distilled"].accounting.wall = absl::Seconds(4);
  records_["distilled"].accounting.phases[static_cast<int>(Phase::kWaitTeacher)] = absl::Seconds(1);
  const std::string page = Render();
  EXPECT_THAT(page, HasSubstr("<tr><td>teacher</td><td>0.8750</td>"));
  EXPECT_THAT(page, HasSubstr("<h2>teacher</h2>"));
  EXPECT_THAT(page, HasSubstr("<h2>distilled</h2>\n<p>teacher-bound: 40%</p>"));
  EXPECT_THAT(page, HasSubstr("data-chart=\"0\""));
  EXPECT_THAT(page, Not(HasSubstr("data-chart=\"1\"")));
  EXPECT_THAT(page, HasSubstr("<td>wait teacher</td>"));
  EXPECT_THAT(page, HasSubstr("25.0 %</td>"));
  EXPECT_THAT(page, Not(HasSubstr("gone")));
}

TEST_F(HtmlReportTest, ALineWithoutAPointAtAStepHasNullThere) {
  records_["teacher"].curves["loss/total"] = {{10, 2}, {20, 1.5}};
  records_["teacher"].curves["loss/soft"] = {{20, 0.25}};
  const nlohmann::json chart = Charts()[0];
  EXPECT_THAT(chart["steps"], ElementsAre(10, 20));
  EXPECT_THAT(chart["series"][0]["values"], ElementsAre(2, 1.5));
  EXPECT_EQ(chart["series"][1]["label"], "soft");
  EXPECT_THAT(chart["series"][1]["values"], ElementsAre(nullptr, 0.25));
}

TEST_F(HtmlReportTest, TheTermsOfALossHaveColoursOfTheirOwnThatThePageKnows) {
  const std::vector<std::string> terms = {"from_conv", "from_wide", "hard", "soft", "x", "y", "z"};
  for (const std::string& term : terms) {
    records_["teacher"].curves["loss/" + term] = {{10, 1}};
  }
  const auto colours = [&] {
    std::set<int> found;
    const nlohmann::json charts = Charts();
    for (const auto& series : charts[0]["series"]) found.insert(series["colour"].get<int>());
    return found;
  };
  EXPECT_THAT(colours(), SizeIs(1 + terms.size()));
  // More than there are colours: some come again.
  for (int i = 0; i < 9; ++i) {
    records_["teacher"].curves["loss/more" + std::to_string(i)] = {{10, 1}};
  }
  const std::string page = Render();
  for (const int colour : colours()) {
    EXPECT_THAT(page, HasSubstr("--series-" + std::to_string(colour) + ": #"));
  }
}

TEST_F(HtmlReportTest, WhatIsNotFiniteIsAGap) {
  records_["teacher"].curves["loss/total"] = {{10, std::nan("")}, {20, INFINITY}, {30, 1}};
  EXPECT_THAT(Charts()[0]["series"][0]["values"], ElementsAre(nullptr, nullptr, 1));
}

TEST_F(HtmlReportTest, ALongCurveIsThinnedToMeansAndKeepsItsEnd) {
  for (int step = 1; step <= 1000; ++step) {
    records_["teacher"].curves["loss/total"].push_back({step, static_cast<double>(step)});
  }
  const nlohmann::json chart = Charts()[0];
  EXPECT_THAT(chart["steps"], SizeIs(334));
  EXPECT_EQ(chart["steps"][0], 3);
  EXPECT_EQ(chart["series"][0]["values"][0], 2);
  EXPECT_EQ(chart["steps"].back(), 1000);
}

TEST_F(HtmlReportTest, NamesAreTextWhateverTheyHold) {
  const std::string bad = "</script><b a=\"'&]]>";
  report_.set_plan(bad);
  (*report_.mutable_models())["teacher"].set_verdict(bad);
  records_["teacher"].missing = bad;
  records_["teacher"].curves["loss/" + bad] = {{10, 1}};
  const std::string page = Render();
  EXPECT_THAT(page, Not(HasSubstr("<b a")));
  EXPECT_THAT(page, HasSubstr("<h1>&lt;/script&gt;&lt;b a=&quot;&#39;&amp;]]&gt;</h1>"));
  EXPECT_THAT(page, HasSubstr("<p>&lt;/script&gt;"));
  EXPECT_THAT(page, HasSubstr("<p class=\"muted\">&lt;/script&gt;"));
  EXPECT_EQ(Charts()[0]["series"][1]["label"], bad);
}

TEST_F(HtmlReportTest, RecordsThatCannotBeReadAreNamed) {
  FakeFileSystem files;
  v1::PlanConfig plan;
  plan.add_runs()->set_name("teacher");
  plan.mutable_runs(0)->mutable_training()->set_world_size(1);
  EXPECT_THAT(ReadRecords(files, "/plan", plan)["teacher"].missing, HasSubstr("no curves: /plan"));
  ASSERT_TRUE(files.MakeDirectories("/plan/teacher").ok());
  EXPECT_EQ(ReadRecords(files, "/plan", plan)["teacher"].missing, "");
  ASSERT_TRUE(files.Write("/plan/teacher/metrics.rank0.jsonl", "{\"step\":0}\n").ok());
  files.FailOperation(2, absl::DataLossError("the disk is gone"));
  EXPECT_THAT(ReadRecords(files, "/plan", plan)["teacher"].missing, HasSubstr("the disk is gone"));
}

}  // namespace
}  // namespace distill
