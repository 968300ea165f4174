// The program from end to end on a device: what it says there is what it says on the CPU, but for
// the rounding of the types it computes in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "calib/store.h"
#include "tests/device.h"
#include "tests/quant/tolerance.h"
#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class EndToEnd : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    device_under_test(device());
    folder_ = fs::path(testing::TempDir()) /
              ("octet-device-" + device() + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static const std::string& device() { return GetParam(); }
  static bool on_cpu() { return device() == "cpu"; }
  std::string path(const std::string& name) const { return folder_ / name; }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  /// The JSON of a command on `on`.
  static json run(const std::string& arguments, const std::string& on) {
    const std::string command = arguments + " --device " + on + " --json";
    const Output output = octet_cli(command, false);
    EXPECT_EQ(output.code, 0) << octet_cli(command).text;
    return json::parse(output.text, nullptr, false);
  }
  static json run(const std::string& arguments) { return run(arguments, device()); }

  fs::path folder_;
};

/// How far the logits of a quantized model may be off those of the CPU, root mean square, where
/// their deviation is `deviation`: a GPU runs it in float16, and a CPU may multiply weight-only
/// linears in bfloat16. About 16 values a block are rounded, and what lies behind passes the errors
/// on, four times as large at most.
double logit_noise(const std::string& device, const std::string& scheme, double deviation,
                   double blocks) {
  if (device == "cpu") return 0;
  const double narrow_cpu = scheme.starts_with("w8a8") ? 0 : weight_only_tolerance();
  return deviation * (4 * rounding_noise(at::kHalf, 16 * blocks) + narrow_cpu);
}

/// Sentences of a few words in a fixed order.
std::string sentences(int count) {
  const char* words[] = {"the ", "scale ", "of ", "a ", "model ", "is ", "kept ", "in ", "blocks "};
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < 7; ++j) text += words[(i * 5 + j * j + i * j) % 9];
    text += "here.\n";
  }
  return text;
}

/// A toy language model, texts, and all that depends on the device made on it.
class LanguageEndToEnd : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    write_toy(folder_ / "model");
    put("calib.txt", sentences(60));
    put("eval.txt", sentences(90).substr(2500));
  }
  std::string calibrate(const std::string& on) const {
    const std::string out = path("calib-" + on + ".h5");
    run("calibrate " + path("model") + " --data " + path("calib.txt") +
            " --samples 16 --length 64 --out " + out,
        on);
    return out;
  }
  json evaluate(const std::string& model, const std::string& on) const {
    return run("eval " + path(model) + " --reference " + path("model") + " --data " +
                   path("eval.txt") + " --length 64",
               on);
  }
};

TEST_P(LanguageEndToEnd, AStoreHasTheRangesOfTheCpu) {
  const CalibrationStore expected = load_calibration(calibrate("cpu"));
  const CalibrationStore got = load_calibration(calibrate(device()));
  EXPECT_EQ(json::parse(got.provenance)["device"], device());
  ASSERT_EQ(got.sites.size(), expected.sites.size());
  // Float32 on both; sums of at most 48 terms, eight of them in each of two blocks.
  const double unit = on_cpu() ? 0 : 8 * 2 * 48 * 0x1p-24;
  for (const auto& [site, mine] : got.sites) {
    const SiteStatistics& theirs = expected.sites.at(site);
    EXPECT_EQ(mine.token_count(), theirs.token_count()) << site;
    EXPECT_EQ(mine.values.total(), theirs.values.total()) << site;
    EXPECT_NEAR(mine.output_absmax, theirs.output_absmax, unit * theirs.output_absmax) << site;
    ASSERT_EQ(mine.k(), theirs.k()) << site;
    for (int64_t j = 0; j < mine.k(); ++j) {
      const auto channel = static_cast<size_t>(j);
      EXPECT_NEAR(mine.channel_absmax[channel], theirs.channel_absmax[channel],
                  unit * theirs.values.absmax())
          << site;
    }
  }
}

TEST_P(LanguageEndToEnd, EverySchemeScoresAsOnTheCpu) {
  const std::string store = calibrate(device());
  const auto logits = [](const json& scores) {
    return std::log(scores["perplexity"].get<double>());
  };
  const double wide = logits(evaluate("model", device()));
  EXPECT_NEAR(wide, logits(evaluate("model", "cpu")), on_cpu() ? 0 : 1e-4);
  for (const std::string scheme : {"w8a8-dynamic", "w8a8-static", "w8a16", "w4a16-g16"}) {
    const std::string calib = scheme == "w8a8-static" ? " --calib " + store : "";
    run("quantize " + path("model") + " --scheme " + scheme + calib + " --out " + path(scheme));
    const json expected = evaluate(scheme, "cpu"), got = evaluate(scheme, device());
    const json& counters = got["counters"];
    EXPECT_GT(counters[scheme.starts_with("w8a8") ? "int8_gemms" : "packed_gemms"], 0) << scheme;
    const double noise = logit_noise(device(), scheme, 1.5, 2);
    EXPECT_NEAR(logits(got), logits(expected), noise) << scheme;
    // Noise e beside a divergence k gives e^2 / 2 + k + 2 sqrt(k e^2 / 2) at most. Inputs on the
    // edge of two codes take either, which draws a part of quantization's errors anew and changes
    // their mean square by less than a quarter.
    const double kl = expected["kl"]["mean"], more = noise * noise / 2;
    const double redrawn = !on_cpu() && scheme.starts_with("w8a8") ? 0.25 * kl : 0;
    EXPECT_NEAR(got["kl"]["mean"], kl, more + 2 * std::sqrt(more * kl) + redrawn) << scheme;
  }
}

TEST_P(LanguageEndToEnd, FloatModelsRunInEveryType) {
  const auto perplexity = [this](const std::string& type, const std::string& on) -> double {
    return run("eval " + path("model") + " --dtype " + type + " --data " + path("eval.txt") +
                   " --length 64",
               on)["perplexity"];
  };
  const double expected = std::log(perplexity("float32", "cpu"));
  for (const auto& [name, type] : {std::pair{"float16", at::kHalf}, {"bfloat16", at::kBFloat16}}) {
    EXPECT_NEAR(std::log(perplexity(name, device())), expected, 1.5 * 4 * rounding_noise(type, 32))
        << name;
  }
}

TEST_P(LanguageEndToEnd, DecodingIsTimed) {
  run("quantize " + path("model") + " --scheme w8a8-dynamic --out " + path("w8a8"));
  const json timed =
      run("bench " + path("model") + " " + path("w8a8") + " --prefill 16 --decode 4 --rounds 2");
  std::set<std::string> schemes;
  for (const json& one : timed["runs"]) {
    schemes.insert(one["scheme"]);
    EXPECT_GT(one["decode_tokens_s"], 0) << one;
  }
  EXPECT_TRUE(schemes.contains("w8a8-dynamic")) << timed;
}

TEST_P(EndToEnd, KernelsAreTimedOnAGpuAlone) {
  const Output output =
      octet_cli("bench --kernel rows --rounds 1 --json --device " + device(), on_cpu());
  if (on_cpu()) {
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_THAT(output.text, testing::HasSubstr("kernels are measured on a GPU"));
    return;
  }
  ASSERT_EQ(output.code, 0) << output.text;
  const json timed = json::parse(output.text);
  EXPECT_GT(timed["copy_bytes_per_second"], 1e10);
  EXPECT_EQ(timed["kernels"].size(), 8U);
}

double log_perplexity(const json& scores) {
  return std::log(scores["comparison"]["perplexity"].get<double>());
}

TEST_P(EndToEnd, TheShippedTranslatorSaysTheSame) {
  const std::string model = source_dir() + "/datasets/demo/marian-en-de";
  put("source", "A man in a blue shirt.\nThe file could not be opened.\nSave the changes?\n");
  put("target",
      "Ein Mann in einem blauen Hemd.\nDie Datei konnte nicht geöffnet werden.\n"
      "Die Änderungen speichern?\n");
  const auto translate = [this](const std::string& of, const std::string& on) {
    return run("translate " + of + " --input " + path("source"), on)["translations"];
  };
  EXPECT_EQ(translate(model, device()), translate(model, "cpu"));

  run("quantize " + model + " --scheme w8a8-dynamic --head w8a8 --out " + path("w8a8"));
  const auto scores = [&](const std::string& on) {
    return run("eval " + path("w8a8") + " --data parallel:" + path("source") + "," +
                   path("target") + " --beam 1",
               on);
  };
  const json expected = scores("cpu"), got = scores(device());
  EXPECT_GT(got["counters"]["int8_gemms"], 0);
  EXPECT_EQ(got["outputs"].size(), 3U);
  EXPECT_NEAR(log_perplexity(got), log_perplexity(expected),
              logit_noise(device(), "w8a8-dynamic", 4, 6));
}

/// 28 x 28 pixels, a bright bar of each image where its label says.
void write_images(const fs::path& folder, int count) {
  const auto number = [](int value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
    return bytes;
  };
  std::string pixels, labels;
  for (int i = 0; i < count; ++i) {
    labels += static_cast<char>(i % 10);
    for (int p = 0; p < 28 * 28; ++p) {
      pixels += static_cast<char>(p / 28 / 3 == i % 10 ? 200 + p % 50 : (p * 7 + i * 13) % 60);
    }
  }
  std::ofstream(folder / "images", std::ios::binary)
      << std::string("\0\0\x08\x03", 4) + number(count) + number(28) + number(28) + pixels;
  std::ofstream(folder / "labels", std::ios::binary)
      << std::string("\0\0\x08\x01", 4) + number(count) + labels;
}

TEST_P(EndToEnd, TheShippedClassifierAnswersTheSame) {
  const std::string model = source_dir() + "/datasets/demo/vit-fashion-mnist";
  write_images(folder_, 40);
  const auto scores = [this](const std::string& of, const std::string& on) {
    return run("eval " + of + " --data idx:" + path("images") + "," + path("labels"), on);
  };
  EXPECT_EQ(scores(model, device())["answers"], scores(model, "cpu")["answers"]);
  run("quantize " + model + " --scheme w8a8-dynamic --out " + path("w8a8"));
  const json expected = scores(path("w8a8"), "cpu"), got = scores(path("w8a8"), device());
  EXPECT_GT(got["counters"]["int8_gemms"], 0);
  EXPECT_EQ(got["answers"].size(), 40U);
  EXPECT_NEAR(log_perplexity(got), log_perplexity(expected),
              logit_noise(device(), "w8a8-dynamic", 4, 6));
}

INSTANTIATE_TEST_SUITE_P(Cpu, EndToEnd, testing::Values("cpu"));
INSTANTIATE_TEST_SUITE_P(Gpu, EndToEnd, testing::Values("cuda"));
INSTANTIATE_TEST_SUITE_P(Cpu, LanguageEndToEnd, testing::Values("cpu"));
INSTANTIATE_TEST_SUITE_P(Gpu, LanguageEndToEnd, testing::Values("cuda"));

}  // namespace
}  // namespace octet::test
