// Marian against transformers: logits, and the ids of every kind of search on 200 sentences.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/containers/safetensors.h"
#include "core/error.h"
#include "core/json.h"
#include "models/architectures/marian.h"
#include "models/decoding/beam_search.h"
#include "models/source_model.h"
#include "models/torch_dtype.h"
#include "models/weights/weight_sources.h"
#include "tests/environment.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

/// The cases of marian_oracle.py, made once for the whole process.
const fs::path& made() {
  static const struct Folder {
    fs::path path = fs::path(testing::TempDir()) / ("octet-marian-" + std::to_string(getpid()));
    Folder() {
      fs::create_directories(path);
      const Output output = shell(python_binary() + " " + source_dir() +
                                  "/tests/models/marian_oracle.py " + path.string());
      if (output.code != 0) throw std::runtime_error(output.text);
    }
    ~Folder() { fs::remove_all(path); }
  } folder;
  return folder.path;
}

struct Case {
  fs::path directory;
  std::map<std::string, at::Tensor> data;
  std::unique_ptr<Model> model;
  std::unique_ptr<Executor> executor;

  explicit Case(const std::string& name) : directory(made() / name) {
    const SafetensorsFile file(directory.string() + ".safetensors");
    for (const auto& [key, entry] : file.entries()) {
      at::Tensor tensor = at::empty(entry.info.shape, torch_dtype(entry.info.dtype, key));
      file.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
      data[key] = tensor;
    }
    model = make_model(SourceModel(directory).config());
    executor = std::make_unique<Executor>(model->topology(), SourceModel(directory).weights(),
                                          float_factory(at::kFloat, at::kCPU));
    executor->load_all();
  }

  Batch source() const {
    Batch batch;
    batch.ids = data.at("ids");
    batch.mask = data.at("mask").to(at::kBool);
    return batch;
  }

  std::vector<std::vector<int64_t>> expected(const std::string& search) const {
    const at::Tensor ids = data.at(search), lengths = data.at(search + ".lengths");
    std::vector<std::vector<int64_t>> rows;
    for (int64_t i = 0; i < ids.size(0); ++i) {
      const auto* row = ids.const_data_ptr<int64_t>() + i * ids.size(1);
      rows.emplace_back(row, row + lengths[i].item<int64_t>());
    }
    return rows;
  }
};

class MarianOracle : public testing::TestWithParam<const char*> {};

TEST_P(MarianOracle, Logits) {
  const at::NoGradGuard no_gradients;
  const Case c(GetParam());
  Batch batch = c.source();
  batch.target_ids = c.data.at("target_ids");
  const at::Tensor logits = forward(*c.model, *c.executor, batch);
  ASSERT_EQ(logits.sizes(), c.data.at("logits").sizes());
  EXPECT_LT((logits - c.data.at("logits")).abs().max().item<double>(), 2e-5);
}

TEST_P(MarianOracle, Searches) {
  const Case c(GetParam());
  const std::map<std::string, std::function<void(GenerationConfig&)>> searches = {
      {"greedy", [](GenerationConfig& g) { g.beams = 1; }},
      {"beam", [](GenerationConfig& g) { g.beams = 4; }},
      {"early",
       [](GenerationConfig& g) {
         g.beams = 4;
         g.early_stopping = true;
         g.length_penalty = 0.6;
       }},
      {"long", [](GenerationConfig& g) {
         g.beams = 3;
         g.length_penalty = 1.5;
         g.renormalize = true;
       }}};
  for (const auto& [name, change] : searches) {
    GenerationConfig config = read_generation(SourceModel(c.directory));
    EXPECT_EQ(config.max_length, 24);
    change(config);
    const auto outputs = generate(*c.model, *c.executor, c.source(), config);
    const auto expected = c.expected(name);
    ASSERT_EQ(outputs.size(), 200U);
    std::set<size_t> lengths;
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(outputs[i].ids, expected[i]) << name << ", sentence " << i;
      lengths.insert(expected[i].size());
    }
    const bool varied = std::string(GetParam()) != "deep" && name != "long";
    EXPECT_GT(lengths.size(), varied ? 5U : 0U) << name << " should end at many lengths";
  }
}

// A sentence's output does not depend on its neighbours in the batch.
TEST_P(MarianOracle, AloneAsInABatch) {
  const Case c(GetParam());
  GenerationConfig config = read_generation(SourceModel(c.directory));
  config.beams = 4;
  const auto expected = c.expected("beam");
  for (int64_t i = 0; i < 8; ++i) {
    Batch one;
    const int64_t length = c.data.at("mask")[i].sum().item<int64_t>();
    one.ids = c.data.at("ids").narrow(0, i, 1).narrow(1, 0, length);
    const auto outputs = generate(*c.model, *c.executor, one, config);
    EXPECT_EQ(outputs[0].ids, expected[i]) << "sentence " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Toys, MarianOracle, testing::Values("relu", "swish", "deep"),
                         [](const auto& info) { return std::string(info.param); });

nlohmann::json marian_config() {
  return {{"architectures", {"MarianMTModel"}},
          {"model_type", "marian"},
          {"d_model", 16},
          {"encoder_ffn_dim", 24},
          {"decoder_ffn_dim", 24},
          {"encoder_layers", 1},
          {"decoder_layers", 1},
          {"encoder_attention_heads", 2},
          {"decoder_attention_heads", 2},
          {"vocab_size", 20},
          {"max_position_embeddings", 8},
          {"activation_function", "swish"},
          {"eos_token_id", 0},
          {"pad_token_id", 19},
          {"decoder_start_token_id", 19}};
}

std::string refusal(const nlohmann::json& config) {
  try {
    make_model(parse_config(config, "config.json"));
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Marian, BadConfigs) {
  EXPECT_EQ(refusal(marian_config()), "accepted");
  const std::vector<std::tuple<const char*, nlohmann::json, const char*>> wrong = {
      {"d_model", 15, "d_model = 15"},
      {"decoder_ffn_dim", 32, "encoder_ffn_dim = 24 and decoder_ffn_dim = 32"},
      {"decoder_attention_heads", 4, "encoder_attention_heads = 2 and decoder_attention_heads = 4"},
      {"decoder_vocab_size", 21, "separate embeddings"},
      {"share_encoder_decoder_embeddings", false, "separate embeddings"},
      {"encoder_layers", 0, "encoder_layers = 0"},
      {"vocab_size", "20", "vocab_size = \"20\""},
      {"dropout", 1.5, "dropout = 1.5"},
      {"activation_function", "quick", "activation_function \"quick\""},
      {"pad_token_id", 20, "pad_token_id = 20"},
      {"eos_token_id", nullptr, "no field \"eos_token_id\""},
      {"decoder_start_token_id", -1, "decoder_start_token_id = -1"},
      {"max_position_embeddings", nullptr, "no field \"max_position_embeddings\""}};
  for (const auto& [field, value, found] : wrong) {
    nlohmann::json config = marian_config();
    config[field] = value;
    const std::string line = refusal(config);
    EXPECT_NE(line.find(found), std::string::npos) << field << ": " << line;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST(Marian, RefusesWhatDoesNotFit) {
  const auto model = make_model(parse_config(marian_config(), "config.json"));
  Executor executor(model->topology(), memory_weights(random_tensors(model->topology(), 1, 0.2)),
                    float_factory(at::kFloat, at::kCPU));
  executor.load_all();
  const at::NoGradGuard no_gradients;
  Batch batch;
  batch.ids = at::ones({1, 9}, at::kLong);
  batch.target_ids = at::ones({1, 1}, at::kLong);
  EXPECT_THROW(forward(*model, executor, batch), Error) << "more positions than the model has";
  batch.ids = at::ones({1, 3}, at::kLong);
  GenerationConfig config;
  config.start = 20;
  EXPECT_THROW(generate(*model, executor, batch, config), Error) << "an id beyond the vocabulary";
  config.start = 19;
  EXPECT_EQ(parse_generation({{"max_length", 512}}, marian_config(), "x").max_length, 8);
}

TEST(Marian, BadGenerationConfigs) {
  const auto refusal_of = [](const nlohmann::json& generation) {
    try {
      parse_generation(generation, marian_config(), "generation_config.json");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal_of({{"num_beams", 4}}), "accepted");
  EXPECT_NE(refusal_of({{"num_beams", 0}}).find("num_beams = 0"), std::string::npos);
  EXPECT_NE(refusal_of({{"length_penalty", "x"}}).find("length_penalty"), std::string::npos);
  EXPECT_NE(refusal_of({{"early_stopping", "never"}}).find("early_stopping"), std::string::npos);
  EXPECT_NE(refusal_of({{"bad_words_ids", {{1, 2}}}}).find("bad_words_ids"), std::string::npos);
  EXPECT_NE(refusal_of({{"max_length", 1}}).find("max_length = 1"), std::string::npos);
}

}  // namespace
}  // namespace octet::test
