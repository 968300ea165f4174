#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/json.h"
#include "report/table.h"

namespace octet {
namespace {
using testing::HasSubstr;
using testing::StartsWith;

PhaseSpeed speed(double tokens_per_second, double relative_stddev = 0.02) {
  const double ms = 1000 / tokens_per_second;
  return {tokens_per_second, {ms, relative_stddev * ms, ms, ms * 1.1, ms * 0.9, 100}};
}

Comparison quality(double perplexity, double half = 0.001) {
  Comparison q;
  q.perplexity = perplexity;
  q.perplexity_se = 0.5;
  q.ln_ratio = std::log(perplexity / 24);
  q.ln_ratio_low = q.ln_ratio - half;
  q.ln_ratio_high = q.ln_ratio + half;
  q.kl_mean = 0.0301;
  q.kl_p99 = 0.25;
  q.kl_p999 = 0.565;
  q.kl_max = 2.5;
  q.same_top1 = 0.9008;
  return q;
}

VariantResult variant(const std::string& name, uint64_t bytes, double perplexity, double prefill,
                      double decode) {
  VariantResult v;
  v.name = v.scheme = name;
  v.bytes_on_disk = v.weight_bytes = bytes, v.peak_memory_bytes = 2 * bytes;
  v.quality = quality(perplexity), v.prefill = speed(prefill), v.decode = speed(decode);
  return v;
}

Report sample() {
  Report report;
  report.title = "INT8 of SmolLM2";
  report.model = "SmolLM2-135M";
  report.hardware = "2 cores";
  report.reference = "FP32";
  report.eval_signature = "wikitext-2/test|L1024";
  report.provenance = R"({"seed": 7})";
  report.fp16_checkpoint_bytes = 269100000;
  report.baselines = {"FP32", "BF16"};
  report.variants = {variant("FP32", 538000000, 24, 600, 16),
                     variant("BF16", 269100000, 24, 850, 25),
                     variant("w8a8-static", 163300000, 24, 900, 23.25)};
  report.kept_layers = {"lm_head"};
  report.commands = {"octet run model.gguf"};
  return report;
}

TEST(Report, SlowerThanABaselineIsTheFirstLineOfEveryOutput) {
  const Report report = sample();
  const std::string want = "Slower: w8a8-static decodes at 0.93x of BF16 (23.2 against 25.0 tok/s)";
  EXPECT_THAT(report_text(report), StartsWith(want + "\n"));
  EXPECT_THAT(
      report_markdown(report),
      StartsWith("- Slower: w8a8-static decodes at 0.93x of BF16 (23.2 against 25.0 tok/s)\n"));
  const auto json = report_json(report);
  EXPECT_EQ(json.begin().key(), "losses");
  ASSERT_EQ(json["losses"].size(), 1U);
  EXPECT_EQ(json["losses"][0]["line"], want);
  EXPECT_DOUBLE_EQ(json["losses"][0]["ratio"], 0.93);
}

TEST(Report, WorsePerplexityIsALossBeyondItsInterval) {
  Report report = sample();
  report.variants[2].decode = speed(30);
  EXPECT_TRUE(losses(report).empty());
  EXPECT_THAT(report_text(report),
              StartsWith("No measured loss beyond noise against FP32, BF16.\n"));
  report.variants[2].quality = quality(24 * std::exp(0.0011));  // below hypot(.001, .001) = .0014
  EXPECT_TRUE(losses(report).empty());
  report.variants[2].quality = quality(24 * std::exp(0.0016));
  EXPECT_EQ(losses(report).size(), 2U);
  report.variants[2].quality = quality(24.024, NAN);  // no error bars: any loss counts
  report.variants[0].quality = report.variants[1].quality = quality(24, NAN);
  ASSERT_EQ(losses(report).size(), 2U);
  EXPECT_EQ(losses(report)[1].line,
            "Worse: w8a8-static has 1.0010x the perplexity of BF16 (24.024 against 24.000)");
}

TEST(Report, SpeedNoiseComesFromTheRuns) {
  Report report = sample();
  report.variants[2].decode = speed(24.9);  // 0.4 % below; noise is 2 * hypot(.2 %, .2 %) = .57 %
  EXPECT_TRUE(losses(report).empty());
  report.variants[2].decode = speed(24.8);
  ASSERT_EQ(losses(report).size(), 1U);
  report.variants[2].decode = speed(24.8, 0.05);
  EXPECT_TRUE(losses(report).empty());
}

TEST(Report, LargerThanTheFp16CheckpointAndMoreMemoryAreLosses) {
  Report report = sample();
  report.variants[2].decode = speed(30);
  report.variants[2].bytes_on_disk = 269100001;
  report.variants[2].peak_memory_bytes = 600000000;
  ASSERT_EQ(losses(report).size(), 2U);
  EXPECT_THAT(losses(report)[0].line,
              StartsWith("Larger: w8a8-static takes 1.00x the size of the FP16"));
  EXPECT_EQ(
      losses(report)[1].line,
      "More memory: w8a8-static takes 1.11x the peak memory of BF16 (600.0 against 538.2 MB)");
}

TEST(Report, WhatWasNotMeasuredIsSaidAndNull) {
  Report report = sample();
  report.variants[2].decode.reset();
  report.variants[2].quality.reset();
  EXPECT_THAT(report_text(report), HasSubstr("\nNot measured: w8a8-static: quality, decode\n"));
  const auto json = report_json(report);
  EXPECT_TRUE(json["variants"][2]["decode"].is_null());
  EXPECT_TRUE(json["variants"][2]["quality"].is_null());
  EXPECT_EQ(json["not_measured"].size(), 1U);
}

TEST(Report, TextTablesNameTheirBaselinesAndFit) {
  Report report = sample();
  report.variants[2].name = std::string(200, 'x');
  const std::string text = report_text(report);
  EXPECT_THAT(text, HasSubstr("vs FP32  vs BF16"));
  EXPECT_THAT(text, HasSubstr("0.607x"));  // 163.3 of 269.1 MB
  std::istringstream lines(text.substr(text.find("\nWhat was lost")));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 120U) << line;
}

TEST(Report, JsonHoldsEverything) {
  const auto json = report_json(sample());
  EXPECT_EQ(json["octet_report"], kReportVersion);
  for (const char* key : {"title", "model", "hardware", "eval_signature", "reference", "baselines",
                          "fp16_checkpoint_bytes", "kept_layers", "commands", "provenance"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  const auto& v = json["variants"][2];
  EXPECT_EQ(v["bytes_on_disk"], 163300000);
  EXPECT_EQ(v["peak_memory_bytes"], 326600000);
  EXPECT_DOUBLE_EQ(v["size_ratio_to_fp16_checkpoint"], 163.3 / 269.1);
  EXPECT_DOUBLE_EQ(v["decode"]["ratio_to"]["BF16"], 0.93);
  EXPECT_DOUBLE_EQ(v["prefill"]["ratio_to"]["FP32"], 1.5);
  EXPECT_DOUBLE_EQ(v["quality"]["kl_p999"], 0.565);
  EXPECT_DOUBLE_EQ(v["prefill"]["p99_ms"], 1100.0 / 900);
  EXPECT_EQ(json["provenance"]["seed"], 7);
}

TEST(Report, NamesThatMeanNothingAreRefused) {
  Report report = sample();
  report.baselines.emplace_back("FP64");
  EXPECT_THROW(report_text(report), Error);
  report = sample();
  report.variants[2].name = "BF16";
  EXPECT_THROW(report_json(report), Error);
  report = sample();
  report.provenance = "[1]";
  EXPECT_THROW(report_json(report), Error);
  EXPECT_THROW(report_markdown(report), Error);
}

TEST(Report, FilesAreWritten) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("octet_report_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  write_report(sample(), folder.string());
  EXPECT_EQ(read_json((folder / "report.json").string())["octet_report"], kReportVersion);
  EXPECT_TRUE(std::filesystem::exists(folder / "report.md"));
  EXPECT_TRUE(std::filesystem::exists(folder / "report.html"));
  std::filesystem::remove_all(folder);
}

TEST(TextTable, AlignsByWhatIsShown) {
  TextTable table({{"name", Align::kLeft}, {"Δ"}});
  table.add({"é日", "1.5"});
  table.add({"plain", "10"});
  EXPECT_EQ(table.text(), "name     Δ\né日    1.5\nplain   10\n");
  EXPECT_EQ(table.markdown(), "| name | Δ |\n| --- | ---: |\n| é日 | 1.5 |\n| plain | 10 |\n");
  EXPECT_THROW(table.add({"one"}), Error);
}

TEST(TextTable, CutsTextNotFigures) {
  TextTable table({{"name", Align::kLeft}, {"n"}});
  table.add({"日本語日本語日本語", "123456"});
  EXPECT_EQ(table.text(18), "name             n\n日本語日…   123456\n");
  EXPECT_THAT(table.text(3), HasSubstr("123456"));
}

TEST(TextTable, HostileCellsStayOnOneLine) {
  EXPECT_EQ(printable("a\x1b[31m\nb\xFF\xC0\x80"), "a\uFFFD[31m\uFFFDb\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xE2\x80\xAEok\xED\xA0\x80"), "\uFFFDok\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xE6\x97"), "\uFFFD\uFFFD");
  EXPECT_EQ(display_width("e\u0301日"), 3U);
  EXPECT_EQ(markdown_escape("a|b`<i>_x"), "a\\|b\\`\\<i\\>\\_x");
}

}  // namespace
}  // namespace octet
