// A translation model from calibration to quantized directories: what stands in them, and that
// octet and transformers make the same of them.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "calib/calibrate.h"
#include "core/error.h"
#include "models/data/open_samples.h"
#include "models/data/pair_samples.h"
#include "models/decoding/translation.h"
#include "models/source_model.h"
#include "models/weights/checkpoint_tensors.h"
#include "quant/formats/compressed_tensors/verify.h"
#include "quant/load_model.h"
#include "quant/quantize.h"
#include "tests/models/marian_toys.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

class MarianDirectoriesOracle : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::remove_all(folder());
    write_toy_marian(folder() / "float");
    std::ofstream en(folder() / "en"), de(folder() / "de");
    for (int i = 0; i < 24; ++i) {
      en << "The license of version " << i << (i % 3 == 0 ? " is free software." : "") << "\n";
      de << "Ein Mann " << i << (i % 2 == 0 ? " steht auf einer Leiter und putzt." : "") << "\n";
    }
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }
  static fs::path folder() {
    return fs::path(testing::TempDir()) / ("octet-marian-directories-" + std::to_string(getpid()));
  }
  static std::string path(const std::string& name) { return folder() / name; }
  static std::string data() { return "parallel:" + path("en") + "," + path("de"); }

  template <class Result, class Options>
  static Result run(Result (*stage)(const SourceModel&, const Options&, Context&),
                    const Options& options) {
    Log log(true);
    StopToken stop;
    Context context{log, stop, "cpu", 0};
    return stage(SourceModel(options.model), options, context);
  }

  static CalibrationStore calibrated(const std::string& out, const std::string& shard = "0/1") {
    CalibrateOptions options;
    options.model = path("float"), options.data = data(), options.out = path(out);
    options.samples = 20, options.unit = 6, options.shard = shard;
    return run(calibrate, options).store;
  }

  static QuantizeResult quantized(const std::string& scheme, const std::string& head) {
    QuantizeOptions options;
    options.model = path("float"), options.scheme = scheme, options.head = head;
    options.out = path(scheme + "-" + head);
    if (scheme == "w8a8-static") options.calib = path("calib.h5");
    return run(quantize, options);
  }

  static Batch batch() {
    const auto samples = open_samples(SourceModel(path("float")), data(), Split::kTrain, 0);
    const int64_t indices[] = {0, 1, 2, 3, 4, 5};
    return samples->batch(indices).inputs;
  }
  static at::Tensor ours(const std::string& directory) {
    const at::NoGradGuard no_gradients;
    const LoadedModel loaded = load_model(path(directory));
    return forward(*loaded.model, *loaded.executor, batch());
  }
};

TEST_F(MarianDirectoriesOracle, CalibrationSeesEverySiteWithoutPadding) {
  const CalibrationStore store = calibrated("calib.h5");
  EXPECT_EQ(store.units_total, 4);
  const auto samples = open_samples(SourceModel(path("float")), data(), Split::kTrain, 0);
  std::vector<int64_t> all(20);
  std::iota(all.begin(), all.end(), 0);
  const Batch inputs = samples->batch(all).inputs;
  const int64_t source = inputs.mask.sum().item<int64_t>();
  const int64_t target = inputs.target_mask.sum().item<int64_t>();
  const Topology topology = make_model(SourceModel(path("float")).config())->topology();
  for (const Site& site : topology.sites) {
    if (site.block == kOutside) continue;
    const bool reads_source =
        site.block < topology.encoder_blocks || site.name.ends_with("encoder_attn.kv_proj");
    const int64_t rows = reads_source ? source : target;
    EXPECT_EQ(store.sites.at(site.name).tokens.total(), rows) << site.name;
  }
}

TEST_F(MarianDirectoriesOracle, ShardsMergeToTheSameStore) {
  const CalibrationStore whole = calibrated("whole.h5");
  CalibrationStore merged =
      merge({calibrated("shard-1.h5", "1/2"), calibrated("shard-0.h5", "0/2")});
  merged.shards = whole.shards, merged.shard = whole.shard;
  EXPECT_EQ(merged, whole);
}

TEST_F(MarianDirectoriesOracle, DirectoriesLoadHereAndInTransformers) {
  calibrated("calib.h5");
  struct Case {
    const char *scheme, *head, *name;
    int inputs;  // quantized ones, of 32 linear layers and the head
    double tolerance;
  };
  const Case cases[] = {
      {"w8a8-dynamic", "keep", "w8a8-dynamic", 32, 0.05},
      {"w8a8-static", "w8a8", "w8a8-static+head-w8a8-dynamic", 33, 0.05},
      // Weight-only arithmetic is that of bfloat16 inputs on CPUs that have it.
      {"w8a16", "w8a16", "w8a16+head-w8a16", 0, 0.02},
      {"w4a16-g16", "keep", "w4a16-g16", 0, 0.02},
  };
  const auto names = [](const Case& c) { return std::string(c.scheme) + "-" + c.head; };
  SafetensorsWriter writer(folder() / "batch.safetensors",
                           {{"ids", Dtype::kI64, batch().ids.sizes().vec()},
                            {"mask", Dtype::kI64, batch().mask.sizes().vec()},
                            {"target_ids", Dtype::kI64, batch().target_ids.sizes().vec()}});
  const Batch inputs = batch();
  const at::Tensor mask = inputs.mask.to(at::kLong);
  const auto bytes = [](const at::Tensor& tensor) {
    return std::span(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes());
  };
  writer.write("ids", bytes(inputs.ids));
  writer.write("mask", bytes(mask));
  writer.write("target_ids", bytes(inputs.target_ids));
  writer.commit();
  std::string arguments =
      path("batch.safetensors") + " " + path("logits") + "/model.safetensors " + path("float");
  fs::create_directories(path("logits"));
  for (const Case& c : cases) {
    quantized(c.scheme, c.head);
    arguments += " " + path(names(c));
  }
  const auto counts = python("quant/marian_directories_oracle.py", arguments);
  CheckpointTensors oracle(path("logits"));
  const at::Tensor real = inputs.target_mask.unsqueeze(2);
  const auto distance = [&](const std::string& name, const at::Tensor& logits) {
    const at::Tensor expected = read_tensor(oracle, name);
    return ((logits - expected).masked_select(real).square().mean().sqrt() / expected.std())
        .item<double>();
  };
  EXPECT_LT(distance("float", ours("float")), 1e-5);
  for (const Case& c : cases) {
    SCOPED_TRACE(names(c));
    const at::Tensor logits = ours(names(c));
    const double found = distance(names(c), logits), from_float = distance("float", logits);
    std::printf("%-18s differs by %.2e, from float by %.2e\n", names(c).c_str(), found, from_float);
    EXPECT_EQ(counts[names(c)]["changed"], c.inputs);
    EXPECT_EQ(load_model(path(names(c))).scheme, c.name);
    EXPECT_LT(found, c.tolerance);
    EXPECT_GT(from_float, 1e-3);
  }
}

TEST_F(MarianDirectoriesOracle, EverythingBesideTheWeightsIsCarried) {
  calibrated("calib.h5");
  quantized("w8a8-static", "w8a8");
  const fs::path made = path("w8a8-static-w8a8");
  for (const char* file : {"source.spm", "target.spm", "vocab.json", "generation_config.json",
                           "tokenizer_config.json"}) {
    EXPECT_EQ(read_file(made / file), read_file(path("float") + "/" + file)) << file;
  }
  EXPECT_EQ(read_json((made / "config.json").string())["tie_word_embeddings"], false);
  const Checkpoint checkpoint(made);
  EXPECT_TRUE(checkpoint.has("lm_head.weight_scale"));
  EXPECT_TRUE(checkpoint.has("model.shared.weight"));
  EXPECT_TRUE(checkpoint.has("final_logits_bias"));
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  EXPECT_TRUE(verify_directory(made, context).wrong.empty());
}

TEST_F(MarianDirectoriesOracle, TranslatesInAnyBatchInTheOldOrder) {
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  const std::vector<std::string> sources = {"",
                                            "The license of version 3",
                                            "  \t",
                                            "is free software",
                                            "a",
                                            "The license is free of license software version",
                                            std::string(3000, 'x'),
                                            "The license of version 3"};
  for (const char* directory : {"float", "w8a8-static-w8a8"}) {
    if (std::string(directory) != "float") calibrated("calib.h5"), quantized("w8a8-static", "w8a8");
    const LoadedModel loaded = load_model(path(directory));
    Translator translator(*loaded.model, *loaded.executor, SourceModel(path(directory)));
    EXPECT_EQ(translator.generation().beams, 2);
    EXPECT_EQ(translator.generation().max_length, 12);
    const Translations one = translator.translate(sources, {1, 0}, context);
    EXPECT_EQ(one.text, translator.translate(sources, {8, 0}, context).text);
    EXPECT_EQ(one.text, translator.translate(sources, {32, 20}, context).text);
    EXPECT_EQ(one.text[0], "");
    EXPECT_EQ(one.text[2], "");
    EXPECT_EQ(one.text[1], one.text[7]);
    EXPECT_NE(one.text[1], "");
    EXPECT_GT(one.target_tokens, 5);
    EXPECT_THROW(translator.translate(sources, {0, 0}, context), UsageError);
    EXPECT_TRUE(translator.translate({}, {1, 0}, context).text.empty());
    StopToken stopped;
    stopped.request();
    Context interrupted{log, stopped, "cpu", 0};
    EXPECT_THROW(translator.translate(sources, {1, 0}, interrupted), Interrupted);
  }
}

}  // namespace
}  // namespace octet::test
