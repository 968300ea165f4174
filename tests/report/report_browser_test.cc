// The page in headless Chromium, as readers see it. Without Chromium (scripts/apt-packages names
// it) these are skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "report/html/assets.h"
#include "tests/report/report_sample.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

const char* const kProfiles[] = {"phone-light", "phone-dark", "narrow-light", "desktop-light",
                                 "desktop-dark"};

class Browser : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("octet_browser_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // What tests/tools/browser.py saw; null without a browser.
  json look(const Report& report) {
    write_report(report, folder_.string());
    report_ = read_json((folder_ / "report.json").string());
    json seen =
        python("tools/browser.py", (folder_ / "report.html").string() + " " + folder_.string());
    return seen.contains("missing") ? json() : seen;
  }

  // Every figure of the page is the one that report.json has, rounded as shown.
  void compare_figures(const json& figures) const {
    for (const json& one : figures) {
      const std::string key = one[0], shown = one[3];
      const json& want = report_.at(json::json_pointer(key));
      EXPECT_EQ(json::parse(one[1].get<std::string>()), want) << key;
      std::string digits = shown.starts_with("−") ? "-" + shown.substr(3) : shown;
      const size_t point = digits.find('.');
      size_t end = 0;
      const double value = std::stod(digits, &end);
      const double places = point == std::string::npos ? 0 : static_cast<double>(end - point - 1);
      EXPECT_NEAR(value, want.get<double>() * one[2].get<double>(),
                  0.5000001 * std::pow(10, -places))
          << key << " shown as " << shown;
    }
  }

  fs::path folder_;
  json report_;
};

void check_view(const json& view, const std::string& name, size_t charts) {
  EXPECT_EQ(view.at("console"), json::array()) << name;
  EXPECT_EQ(view.at("requests").size(), 1U) << name << ": " << view.at("requests");
  EXPECT_EQ(view.at("charts"), charts) << name;
  EXPECT_EQ(view.at("canvases"), charts) << name;
  EXPECT_EQ(view.at("labelled"), charts) << name;
  EXPECT_EQ(view.at("blank"), 0) << name;
  EXPECT_EQ(view.at("hidden"), 0) << name;
  EXPECT_EQ(view.at("problems"), "") << name;
  EXPECT_LE(view.at("overflow"), 0) << name << " scrolls sideways";
  EXPECT_EQ(view.at("shift"), 0) << name << ": the layout jumped";
  EXPECT_FALSE(view.at("alerted")) << name;
}

TEST_F(Browser, EveryKindOfReportIsDrawnAndItsFiguresAreTheReports) {
  if (html::chart_js().empty()) GTEST_SKIP() << "built without Chart.js";
  const std::pair<Report, size_t> cases[] = {{translation_report(), 5}, {language_report(), 3}};
  for (const auto& [report, charts] : cases) {
    const json seen = look(report);
    if (seen.is_null()) GTEST_SKIP() << "no Chromium: scripts/setup installs it";
    for (const char* name : kProfiles) check_view(seen.at(name), name, charts);
    EXPECT_LE(seen.at("desktop-light").at("summaryBottom"), 900) << "not in the first screen";
    EXPECT_LE(seen.at("phone-light").at("verdictBottom"), 844);
    EXPECT_NE(seen.at("phone-light").at("background"), seen.at("phone-dark").at("background"));
    EXPECT_GT(seen.at("figures").size(), 100U);
    compare_figures(seen.at("figures"));
    EXPECT_EQ(seen.at("no_scripts").at("plots"), 0) << "an empty box without JavaScript";
    EXPECT_GE(seen.at("no_scripts").at("tables"), charts);
    EXPECT_EQ(seen.at("print").at("console"), json::array());
    EXPECT_GT(seen.at("print").at("bytes"), 50000);
  }
}

TEST_F(Browser, HostileReportsRunNothing) {
  if (html::chart_js().empty()) GTEST_SKIP() << "built without Chart.js";
  const std::string attack = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028";
  Report report = translation_report();
  report.title = report.hardware = attack + std::string(300, 'w');
  report.variants[2].name = report.variants[2].scheme = attack;
  report.variants[3].examples[0] = {1, attack, attack, attack + " a", attack + " b", 1, 2};
  for (ActivationRange& range : report.ranges) range.site += attack;
  report.provenance = json{{attack, attack + std::string(500, 'x')}}.dump();
  report.commands = {attack + std::string(500, 'y')};
  const json seen = look(report);
  if (seen.is_null()) GTEST_SKIP() << "no Chromium: scripts/setup installs it";
  for (const char* name : kProfiles) check_view(seen.at(name), name, 5);
  EXPECT_THAT(seen.at("text").get<std::string>(), testing::HasSubstr("<script>alert(1)</script>"));
}

}  // namespace
}  // namespace octet::test
