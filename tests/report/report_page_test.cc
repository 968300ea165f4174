// The page without a browser: escaping, word diffs, and that everything stands in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/html/assets.h"
#include "report/html/diff.h"
#include "report/html/markup.h"
#include "report/html/parts.h"
#include "tests/report/report_sample.h"

namespace octet::test {
namespace {
using testing::HasSubstr;
using testing::Not;

std::string marked(const std::vector<DiffPart>& parts) {
  std::string out;
  for (const DiffPart& part : parts) out += part.changed ? "[" + part.text + "]" : part.text;
  return out;
}

size_t count(const std::string& text, const std::string& needle) {
  size_t found = 0;
  for (size_t at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Markup, TextIsEscapedInContentAndAttributes) {
  EXPECT_EQ(html::text("<b> & \"x\" 'y'").html, "&lt;b&gt; &amp; &quot;x&quot; &#39;y&#39;");
  EXPECT_EQ(html::text("\xE2\x80\xA8\x01\xFF").html, "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(html::element("p", {{"title", "\" onload=\"x"}}, "<i>").html,
            "<p title=\"&quot; onload=&quot;x\">&lt;i&gt;</p>");
  EXPECT_EQ(html::data_island("d", R"({"a":"</script><!--&"})").html,
            "<script type=\"application/json\" id=\"d\">"
            R"({"a":"\u003c/script\u003e\u003c!--\u0026"})"
            "</script>");
}

TEST(WordDiff, MarksWhatOnlyOneHas) {
  const WordDiff d = word_diff("Zwei Hunde spielen im Schnee", "Zwei Katzen spielen Schnee da");
  EXPECT_EQ(marked(d.before), "Zwei [Hunde ]spielen [im ]Schnee");
  EXPECT_EQ(marked(d.after), "Zwei [Katzen ]spielen Schnee [da]");
  EXPECT_EQ(marked(word_diff("same words", "same words").after), "same words");
  EXPECT_EQ(marked(word_diff("", "new").before), "");
  EXPECT_EQ(marked(word_diff("", "new").after), "[new]");
}

TEST(WordDiff, ScriptsWithoutSpacesGoByCharacter) {
  const WordDiff d = word_diff("我爱北京", "我爱上海");
  EXPECT_EQ(marked(d.before), "我爱[北京]");
  EXPECT_EQ(marked(d.after), "我爱[上海]");
  EXPECT_EQ(marked(word_diff("schöne Grüße", "schöne Grüsse").after), "schöne [Grüsse]");
}

TEST(WordDiff, HugeTextsAreNotCompared) {
  std::string a, b = "x ";
  for (int i = 0; i < 200000; ++i) a += "w ";
  b += a;
  const WordDiff d = word_diff(a, b);
  ASSERT_EQ(d.before.size(), 1U);
  EXPECT_TRUE(d.before[0].changed);
  EXPECT_EQ(d.after[0].text, b);
}

TEST(ReportPage, AnswersTheFiveQuestionsBeforeAnythingElse) {
  const std::string page = report_html(translation_report());
  const std::string first = page.substr(0, page.find("id=\"losses\""));
  EXPECT_THAT(first, HasSubstr("Take w8a8-static + QAT"));
  EXPECT_THAT(first, HasSubstr("BLEU −0.05 [−0.25, +0.15], p = 0.62: the difference is noise."));
  EXPECT_THAT(first, HasSubstr("60 % of KL"));
  EXPECT_THAT(first, HasSubstr("BLEU: was noise"));
  EXPECT_THAT(first, HasSubstr("82 % of BLEU"));
  EXPECT_THAT(first, HasSubstr("data-key=\"/variants/5/bytes_on_disk\""));
  EXPECT_THAT(first, HasSubstr("data-key=\"/variants/5/ms_an_item\""));
  EXPECT_EQ(count(first, "class=\"name\""), 7U);
}

TEST(ReportPage, NothingIsFetched) {
  const std::string page = report_html(translation_report());
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'; "));
  for (const char* needle :
       {"<link", "<img", "<iframe", " src=", "@import", "url(", "sourceMappingURL"}) {
    EXPECT_EQ(count(page.substr(0, page.find("<script>")), needle), 0U) << needle;
  }
  EXPECT_EQ(count(page, "sourceMappingURL"), 0U);
}

TEST(ReportPage, HostileNamesAndSentencesStayText) {
  const std::string attack = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
  Report report = translation_report();
  const std::string clean = report_html(report);
  report.title = report.model = report.hardware = report.range_method = attack;
  report.variants[2].name = report.variants[2].scheme = attack;
  report.variants[3].examples[0] = {1, attack, attack, attack + " a", attack + " b", 1, 2};
  report.variants[3].layer_errors[0].site = report.ranges[0].site = attack + "\u2028";
  report.kept_layers = report.commands = {attack};
  report.provenance = nlohmann::json{{attack, attack}}.dump();
  const std::string page = report_html(report);
  EXPECT_EQ(count(page, "<script"), count(clean, "<script"));
  EXPECT_EQ(count(page, "</script"), count(clean, "</script"));
  EXPECT_EQ(count(page, "<img"), 0U);
  EXPECT_EQ(count(page, "\u2028"), count(clean, "\u2028"));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

TEST(ReportPage, EveryChartHasItsTable) {
  for (const Report& report : {translation_report(), language_report(), vision_report()}) {
    const std::string page = report_html(report);
    const size_t charts = html::chart_data(report).at("charts").size();
    EXPECT_GE(charts, 3U);
    EXPECT_EQ(count(page, "<figure "), charts);
    EXPECT_GE(count(page.substr(page.find("<figure ")), "<table>"), charts);
    EXPECT_EQ(count(page, "<canvas "), html::chart_js().empty() ? 0 : charts);
  }
}

TEST(ReportPage, ChartDataIsTheReports) {
  const Report report = translation_report();
  const html::Json data = html::chart_data(report);
  const html::Json& size = data.at("charts")[0];
  EXPECT_EQ(size.at("points").size(), report.variants.size());
  EXPECT_DOUBLE_EQ(size.at("points")[4].at("x"), 6.1);
  EXPECT_DOUBLE_EQ(size.at("points")[4].at("y"), report.variants[4].scores[0].delta);
  EXPECT_EQ(data.at("variants")[6].at("from"), "w4a16-g64");
  const html::Json& layers = data.at("charts")[2];
  EXPECT_EQ(layers.at("labels").size(), 24U);
  EXPECT_DOUBLE_EQ(layers.at("series")[0].at("values")[3],
                   100 * report.variants[1].layer_errors[3].error);
  const html::Json& tuning = data.at("charts")[4];
  EXPECT_EQ(tuning.at("series").size(), 2U);
  EXPECT_EQ(tuning.at("series")[0].at("best"), 9);
}

TEST(ReportPage, AnEmptyReportIsStillAPage) {
  EXPECT_THAT(report_html(Report{}), HasSubstr("No recommendation"));
  EXPECT_THAT(report_html(language_report()), Not(HasSubstr("Sentences that changed most")));
}

}  // namespace
}  // namespace octet::test
