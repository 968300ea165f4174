// A toy translation model trained from random values, and fine-tuned behind its quantization.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "finetune/finetune.h"
#include "finetune/train_model.h"
#include "models/source_model.h"
#include "models/weights/checkpoint_tensors.h"
#include "quant/formats/compressed_tensors/verify.h"
#include "tests/core/support.h"
#include "tests/models/marian_toys.h"

namespace octet::test {
namespace {

// Word for word, so that a toy can learn it in seconds.
constexpr std::pair<const char*, const char*> kWords[] = {
    {"software", "Mann"},  {"license", "Hund"}, {"program", "Kinder"}, {"copy", "Wiese"},
    {"source", "Fenster"}, {"code", "Straße"},  {"work", "Frauen"},    {"public", "Essen"},
    {"terms", "Büsche"},   {"modify", "Zaun"},  {"free", "Holz"},      {"user", "Fest"}};

void write_pairs(const std::filesystem::path& folder, const std::string& name, int64_t count,
                 uint64_t seed) {
  std::ofstream source(folder / (name + ".en")), target(folder / (name + ".de"));
  const Random random(seed, "pairs");
  uint64_t next = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t words = 2 + random.below(next++, 6);
    for (uint64_t w = 0; w < words; ++w) {
      const auto& [english, german] = kWords[random.below(next++, std::size(kWords))];
      source << (w > 0 ? " " : "") << english, target << (w > 0 ? " " : "") << german;
    }
    source << "\n", target << "\n";
  }
}

// A model trained by the first test that needs it.
struct Trained {
  Trained() {
    write_toy_marian(folder / "config");
    std::filesystem::remove(folder / "config/model.safetensors");
    write_pairs(folder.path(), "train", 600, 1), write_pairs(folder.path(), "valid", 60, 2);
    TrainModelOptions options;
    options.model = folder / "config", options.out = folder / "model";
    options.data = pairs("train"), options.eval_data = pairs("valid");
    options.batch_tokens = 512, options.eval_samples = 0;
    options.trainer.steps = 240, options.trainer.warmup = 40, options.trainer.eval_every = 120;
    options.trainer.lr = 1e-2, options.trainer.schedule = "inverse-sqrt";
    options.trainer.beta2 = 0.98, options.trainer.weight_decay = 0;
    options.trainer.label_smoothing = 0.1, options.trainer.ema = 0.98;
    result = train_model(SourceModel(options.model), options, {}, context);
  }
  std::string pairs(const std::string& name) const {
    return "parallel:" + (folder / (name + ".en")).string() + "," +
           (folder / (name + ".de")).string();
  }
  testing::TempDir folder;
  Log log{true};
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  FinetuneResult result;
};

Trained& trained() {
  static Trained once;
  return once;
}

TEST(TrainMarianOracle, LearnsToTranslateAndCarriesEverything) {
  Trained& t = trained();
  const TrainResult& training = t.result.training;
  EXPECT_GT(training.eval[0].nll, 5) << "nothing is known at first";
  EXPECT_LT(training.eval[training.best].nll, 1) << t.result.verdict;
  EXPECT_NE(t.result.verdict.find("unseen sentences"), std::string::npos) << t.result.verdict;
  for (const char* file : {"source.spm", "target.spm", "vocab.json", "generation_config.json",
                           "tokenizer_config.json", "config.json"}) {
    EXPECT_EQ(testing::get((t.folder / "model" / file).string()),
              testing::get((t.folder / "config" / file).string()))
        << file;
  }
  CheckpointTensors written(t.folder / "model");
  EXPECT_EQ(written.info("model.shared.weight").dtype, Dtype::kF16);
  EXPECT_EQ(read_tensor(written, "final_logits_bias").abs().sum().item<float>(), 0);
  EXPECT_EQ(written.info("final_logits_bias").shape[0], 1);
}

class FinetuneMarianOracle : public ::testing::TestWithParam<const char*> {};

// On so small a model most of w8a8-static's divergence is the rounding of activations, which no
// weight undoes.
TEST_P(FinetuneMarianOracle, LowersTheDivergence) {
  Trained& t = trained();
  const std::string scheme = GetParam();
  FinetuneOptions options;
  options.quantize.model = t.folder / "model", options.quantize.scheme = scheme;
  if (scheme == "w8a8-static") {
    options.quantize.calib = t.folder / "calib.h5";
    const Output made =
        octet_cli("calibrate " + options.quantize.model + " --data " + t.pairs("train") +
                  " --samples 64 --out " + options.quantize.calib);
    ASSERT_EQ(made.code, 0) << made.text;
  }
  options.data = t.pairs("train"), options.eval_data = t.pairs("valid");
  options.batch_tokens = 512, options.eval_samples = 0, options.min_kl = 0;
  options.trainer.steps = 240, options.trainer.warmup = 10, options.trainer.eval_every = 80;
  if (scheme == "w8a8-static") options.trainer.scale_lr = 1e-3;
  options.learn_scales = true;
  const double share = scheme == "w8a8-static" ? 0.85 : 0.5;
  // The toy is trained by the test and differs from CPU to CPU, and so does the rate that suits it.
  const std::vector<double> rates =
      scheme == "w8a8-static" ? std::vector<double>{3e-5, 1e-5} : std::vector<double>{2e-3};
  FinetuneResult result;
  for (const double rate : rates) {
    options.trainer.lr = rate;
    options.quantize.out = t.folder / ("tuned-" + scheme + "-" + std::to_string(rate));
    result = finetune(SourceModel(options.quantize.model), options, {}, t.context);
    const auto& eval = result.training.eval;
    if (eval[result.training.best].kl < share * eval[0].kl) break;
  }
  const TrainResult& training = result.training;
  EXPECT_LT(training.eval[training.best].kl, share * training.eval[0].kl) << result.verdict;
  EXPECT_TRUE(verify_directory(result.directory, t.context).wrong.empty());
  EXPECT_NE(result.verdict.find("unseen sentences"), std::string::npos) << result.verdict;
  EXPECT_TRUE(std::filesystem::exists(result.directory + "/source.spm"));
}

INSTANTIATE_TEST_SUITE_P(Schemes, FinetuneMarianOracle,
                         ::testing::Values("w8a8-static", "w4a16-g16"), [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(FinetuneMarianOracle, TextOfItsOwnIsForLanguageModels) {
  Trained& t = trained();
  FinetuneOptions options;
  options.quantize.model = t.folder / "model", options.quantize.scheme = "w8a16";
  options.quantize.out = t.folder / "own";
  options.data = "self:10", options.eval_data = t.pairs("valid");
  EXPECT_THROW(finetune(SourceModel(options.quantize.model), options, {}, t.context), UsageError);
}

}  // namespace
}  // namespace octet::test
