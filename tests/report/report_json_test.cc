// report.json read back: nothing is lost, and nothing wrong is taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/atomic_file.h"
#include "core/io/input_file.h"
#include "core/json.h"
#include "tests/report/report_sample.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {
using testing::HasSubstr;

std::string error_of(const nlohmann::json& json) {
  try {
    report_from_json(json, "report.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(ReportJson, RoundTripKeepsEverything) {
  for (const Report& report : {translation_report(), language_report(), vision_report()}) {
    const std::string text = report_json(report).dump();
    const Report again = report_from_json(nlohmann::json::parse(text), "report.json");
    EXPECT_EQ(report_json(again).dump(), text);
    EXPECT_EQ(report_html(again), report_html(report));
    EXPECT_EQ(report_text(again), report_text(report));
  }
}

TEST(ReportJson, HostileTextStaysValid) {
  Report report = translation_report();
  report.title = "\xFF\xC0 bad";
  report.variants[1].examples[0].output = "\xED\xA0\x80</script>";
  report.variants[1].scores[0].signature = "\x01\xFE";
  const std::string text = report_json(report).dump();
  EXPECT_NO_THROW(report_from_json(parse_json(text, "report.json"), "report.json"));
}

TEST(ReportJson, VersionOneIsReadAndNewerIsRefused) {
  nlohmann::json json = report_json(language_report());
  json["octet_report"] = kReportVersion + 1;
  EXPECT_THAT(error_of(json), HasSubstr("a newer one needs a newer octet"));
  json["octet_report"] = 1;
  for (const char* key : {"task", "activation_ranges", "range_method", "verdict"}) json.erase(key);
  for (nlohmann::json& v : json["variants"]) {
    for (const char* key :
         {"scores", "speed", "tuned_from", "tuning", "layer_errors", "examples"}) {
      v.erase(key);
    }
  }
  const Report report = report_from_json(json, "report.json");
  EXPECT_EQ(report.variants.size(), 6U);
  EXPECT_NEAR(report.variants[2].quality->kl_mean, 0.027, 1e-12);
}

TEST(ReportJson, WhatIsWrongIsNamedWithItsPlace) {
  const nlohmann::json good = report_json(translation_report());
  ASSERT_EQ(error_of(good), "");
  const auto broken = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json json = good;
    json[nlohmann::json::json_pointer(pointer)] = value;
    return error_of(json);
  };
  EXPECT_THAT(broken("/variants/2/speed/items_per_second", "fast"),
              HasSubstr("\"fast\" at /variants/2/speed/items_per_second in report.json"));
  EXPECT_THAT(broken("/variants/2/bytes_on_disk", -1), HasSubstr("a whole number from 0 on"));
  EXPECT_THAT(broken("/variants/2/bytes_on_disk", 1e300), HasSubstr("a whole number from 0 on"));
  EXPECT_THAT(broken("/variants", 3), HasSubstr("a list"));
  EXPECT_THAT(broken("/variants/0", nlohmann::json::array()), HasSubstr("an object"));
  EXPECT_THAT(broken("/variants/2/quality/kl_mean", "x"), HasSubstr("/variants/2/quality"));
  EXPECT_THAT(broken("/task", "music"), HasSubstr("language, translation or vision"));
  EXPECT_THAT(broken("/provenance", "x"), HasSubstr("an object"));
  EXPECT_THAT(broken("/variants/5/tuned_from", "nobody"), HasSubstr("no variant named nobody"));
  EXPECT_THAT(broken("/variants/5/tuning/best/step", 3),
              HasSubstr("one of the steps that were evaluated"));
  EXPECT_THAT(broken("/variants/1/name", "float32"), HasSubstr("two variants named float32"));
  EXPECT_THAT(error_of(nlohmann::json::array()), HasSubstr("an object"));
  EXPECT_THAT(error_of({{"octet_report", 2}}), HasSubstr("no \"title\" in report.json"));
}

TEST(ReportCommand, RendersThePageAgain) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("octet_page_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  write_report(translation_report(), folder.string());
  const std::string json = (folder / "report.json").string();
  const std::string page = (folder / "again.html").string();
  const Output made = octet_cli("report " + json + " --out " + page);
  EXPECT_EQ(made.code, 0) << made.text;
  EXPECT_EQ(read_file(page), read_file(folder / "report.html"));
  EXPECT_EQ(octet_cli("report " + folder.string() + " --out " + page).code, 0);
  EXPECT_EQ(octet_cli("report " + json, false).text, report_text(translation_report()));
  write_file(folder / "bad.json", "{\"octet_report\": 2}");
  const Output bad = octet_cli("report " + (folder / "bad.json").string());
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.text, HasSubstr("no \"title\" in"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace octet::test
