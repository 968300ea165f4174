// The vision transformer against transformers, and what holds of it without.
#include "models/architectures/vit.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/adamw.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/run/hidden_store.h"
#include "models/source_model.h"
#include "tests/models/vit.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

ModelConfig toy_vit() {
  return parse_config({{"architectures", {"ViTForImageClassification"}},
                       {"hidden_size", 24},
                       {"intermediate_size", 40},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 4},
                       {"image_size", 12},
                       {"patch_size", 4},
                       {"num_channels", 1},
                       {"hidden_dropout_prob", 0.1},
                       {"attention_probs_dropout_prob", 0.2},
                       {"num_labels", 5}},
                      "toy");
}

Executor executor_of(const Model& model, std::shared_ptr<WeightSource> source,
                     at::ScalarType type = at::kFloat) {
  Executor executor(model.topology(), std::move(source), float_factory(type, at::kCPU),
                    {type, at::kCPU, false});
  executor.load_all();
  return executor;
}

std::shared_ptr<WeightSource> random_source(const Model& model) {
  return memory_weights(random_tensors(model.topology(), 5, 0.2));
}

Batch pixels_of(const ModelConfig& config, int64_t count) {
  at::manual_seed(1);
  Batch batch;
  batch.pixels =
      at::randn({count, config.image->channels, config.image->height, config.image->width});
  return batch;
}

TEST(VitOracle, LogitsEqualTransformers) {
  const VitFolder folder("make");
  const at::NoGradGuard no_gradients;
  for (const char* name : {"gray", "color", "rectangle"}) {
    SCOPED_TRACE(name);
    const fs::path directory = folder.path() / name;
    const TensorFile stored(directory.string() + ".safetensors");
    const SourceModel source(directory);
    const ModelConfig& config = source.config();
    const auto model = make_model(config);
    Executor executor = executor_of(*model, source.weights());
    Batch batch;
    batch.pixels = stored["pixels"];
    const at::Tensor logits = forward(*model, executor, batch), expected = stored["logits"];
    ASSERT_EQ(logits.sizes(), expected.sizes());
    const double worst = (logits - expected).abs().max().item<double>();
    const double scale = expected.abs().max().item<double>();
    std::printf("%-10s worst %.2e of %.2f\n", name, worst, scale);
    EXPECT_LT(worst, 1e-4 * scale);
    EXPECT_GT(scale, 1);
  }
}

TEST(Vit, BlockByBlockEqualsWholeBitForBit) {
  const at::NoGradGuard no_gradients;
  const ModelConfig config = toy_vit();
  const auto model = make_model(config);
  Executor whole = executor_of(*model, random_source(*model));
  const at::Tensor expected = forward(*model, whole, pixels_of(config, 3));
  ASSERT_EQ(expected.sizes(), at::IntArrayRef({3, 5}));
  const fs::path folder = testing::TempDir() + "octet-vit-hidden";
  HiddenStore store(folder, at::kCPU, {});
  Executor streamed(model->topology(), random_source(*model), float_factory(at::kFloat, at::kCPU));
  streamed.load(kOutside);
  store.put(0, 0, model->begin(streamed, pixels_of(config, 3), nullptr));
  for (int block = 0; block < model->topology().blocks; ++block) {
    streamed.load(block);
    Hidden hidden = store.get(0);
    model->block(streamed, block, hidden, nullptr);
    store.put(0, block + 1, hidden);
    streamed.release(block);
  }
  Hidden last = store.get(0);
  EXPECT_TRUE(at::equal(model->end(streamed, last, false), expected));
  fs::remove_all(folder);
}

TEST(Vit, GradientsEqualFiniteDifferences) {
  const ModelConfig config = toy_vit();
  const auto model = make_model(config);
  Executor executor = executor_of(*model, random_source(*model), at::kDouble);
  executor.train(true);
  auto parameters = executor.parameters();
  std::vector<at::Tensor> leaves;
  int64_t elements = 0;
  for (auto& p : parameters) {
    leaves.push_back(p.leaf.requires_grad_(true));
    elements += p.leaf.numel();
  }
  EXPECT_EQ(elements, parameter_count(model->topology()));
  const auto loss = [&] {
    at::manual_seed(7);  // the same dropout each time
    return at::log_softmax(forward(*model, executor, pixels_of(config, 3)), -1).square().mean();
  };
  const auto gradients = torch::autograd::grad({loss()}, leaves);
  const at::NoGradGuard no_gradients;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const int64_t chosen = (static_cast<int64_t>(i) * 13) % leaves[i].numel();
    at::Tensor element = leaves[i].view({-1})[chosen];
    const double kept = element.item<double>(), step = 1e-5;
    element.fill_(kept + step);
    const double above = loss().item<double>();
    element.fill_(kept - step);
    const double below = loss().item<double>();
    element.fill_(kept);
    const double expected = (above - below) / (2 * step),
                 got = gradients[i].view({-1})[chosen].item<double>();
    EXPECT_NEAR(got, expected, 1e-3 * std::abs(expected) + 1e-8) << parameters[i].name;
  }
}

TEST(Vit, DropoutWorksInTrainingAlone) {
  const at::NoGradGuard no_gradients;
  for (const bool attention : {false, true}) {
    ModelConfig config = toy_vit();
    (attention ? config.dropout : config.attention_dropout) = 0;
    const auto model = make_model(config);
    Executor executor = executor_of(*model, random_source(*model));
    const auto run = [&] { return forward(*model, executor, pixels_of(config, 2)); };
    const at::Tensor plain = run();
    EXPECT_TRUE(at::equal(run(), plain));
    executor.train(true);
    EXPECT_GT((run() - plain).abs().max().item<double>(), 1e-3);
  }
}

TEST(Vit, LearnsWithAdamW) {
  ModelConfig config = toy_vit();
  config.dropout = config.attention_dropout = 0;
  const auto model = make_model(config);
  Executor executor = executor_of(*model, random_source(*model));
  executor.train(true);
  std::vector<at::Tensor> leaves;
  for (auto& p : executor.parameters()) leaves.push_back(p.leaf.requires_grad_(true));
  torch::optim::AdamW optimizer(leaves, torch::optim::AdamWOptions(1e-2));
  const Batch batch = pixels_of(config, 20);
  const at::Tensor targets = at::arange(20) % 5;
  const auto loss = [&] {
    return at::cross_entropy_loss(forward(*model, executor, batch), targets);
  };
  const double before = loss().item<double>();
  for (int step = 0; step < 15; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  EXPECT_LT(loss().item<double>(), 0.5 * before);
}

TEST(Vit, PixelsOfAnotherSizeAreRefused) {
  const ModelConfig config = toy_vit();
  const auto model = make_model(config);
  Executor executor = executor_of(*model, random_source(*model));
  Batch batch;
  batch.pixels = at::zeros({2, 3, 12, 12});
  EXPECT_THROW(forward(*model, executor, batch), Error);
}

TEST(VitConfig, MissingFieldsHaveTransformersDefaults) {
  const ModelConfig c = parse_config({{"architectures", {"ViTForImageClassification"}},
                                      {"hidden_size", 32},
                                      {"intermediate_size", 64},
                                      {"num_hidden_layers", 1},
                                      {"num_attention_heads", 2},
                                      {"image_size", {16, 8}},
                                      {"patch_size", 4}},
                                     "c");
  EXPECT_EQ(c.image->channels, 3);
  EXPECT_EQ(c.image->patches(), 8);
  EXPECT_EQ(c.image->labels, (std::vector<std::string>{"LABEL_0", "LABEL_1"}));
  EXPECT_EQ(c.norm_eps, 1e-12);
  EXPECT_TRUE(c.attention_bias);
  EXPECT_EQ(c.activation, "gelu");
}

TEST(VitConfig, WrongFieldsAreNamed) {
  const json good = {{"architectures", {"ViTForImageClassification"}},
                     {"hidden_size", 32},
                     {"intermediate_size", 64},
                     {"num_hidden_layers", 1},
                     {"num_attention_heads", 2},
                     {"image_size", 16},
                     {"patch_size", 4}};
  const std::pair<json, std::string> cases[] = {
      {{{"num_attention_heads", 3}}, "3 heads"},
      {{{"image_size", {16, 8, 4}}}, "image_size = [16,8,4]"},
      {{{"image_size", 1 << 20}}, "1048576"},
      {{{"patch_size", 32}}, "patches of 32 x 32"},
      {{{"num_channels", 0}}, "num_channels = 0"},
      {{{"hidden_dropout_prob", 1.5}}, "hidden_dropout_prob"},
      {{{"id2label", {{"0", "cat"}, {"2", "dog"}}}}, "class 1"},
      {{{"id2label", json::array()}}, "id2label"}};
  parse_config(good, "c");
  for (const auto& [change, found] : cases) {
    json bad = good;
    bad.update(change);
    try {
      parse_config(bad, "c");
      ADD_FAILURE() << change;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(found), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace octet::test
