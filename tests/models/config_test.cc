// config.json in both generations, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/architectures/registry.h"
#include "models/config.h"
#include "tests/environment.h"

namespace octet::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json published(const std::string& name) {
  return read_json(source_dir() + "/tests/data/configs/" + name + ".json");
}

const json& qwen() {
  static const json config = published("DeepSeek-R1-Distill-Qwen-1.5B");
  return config;
}
const json& llama() {
  static const json config = published("DeepSeek-R1-Distill-Llama-8B");
  return config;
}

/// The Error of a config with the changes of `edit`.
std::string refusal(json config, const std::function<void(json&)>& edit) {
  edit(config);
  try {
    parse_config(config, "config.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Config, FamiliesDiffer) {
  const ModelConfig q = parse_config(qwen(), "qwen"), l = parse_config(llama(), "llama");
  EXPECT_TRUE(q.attention_bias);
  EXPECT_FALSE(q.output_bias);
  EXPECT_EQ(q.head_dim, 128);
  EXPECT_FALSE(q.rope_scaling);
  EXPECT_EQ(q.sliding_window, 0) << "use_sliding_window is false";
  EXPECT_FALSE(l.attention_bias);
  EXPECT_EQ(l.rope_scaling, (RopeScaling{8, 1, 4, 8192}));
  json mistral = llama();
  mistral["architectures"] = {"MistralForCausalLM"};
  mistral["model_type"] = "mistral";
  mistral["rope_scaling"] = nullptr;
  mistral["head_dim"] = nullptr;
  mistral["sliding_window"] = 4096;
  EXPECT_EQ(parse_config(mistral, "mistral").sliding_window, 4096);
  EXPECT_EQ(parse_config(mistral, "mistral").head_dim, 128);
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(parse_config(mistral, "mistral").sliding_window, 0);
}

TEST(Config, BothGenerationsAreOne) {
  json newer = llama();
  newer["rope_parameters"] = newer["rope_scaling"];
  newer["rope_parameters"]["rope_theta"] = newer["rope_theta"];
  newer["dtype"] = newer["torch_dtype"];
  for (const char* old : {"rope_scaling", "rope_theta", "torch_dtype"}) newer.erase(old);
  const ModelConfig a = parse_config(llama(), "older"), b = parse_config(newer, "newer");
  EXPECT_EQ(a.rope_theta, b.rope_theta);
  EXPECT_EQ(a.rope_scaling, b.rope_scaling);
  EXPECT_EQ(a.dtype, "bfloat16");
  EXPECT_EQ(b.dtype, "bfloat16");
  newer["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 7.5}};
  EXPECT_EQ(parse_config(newer, "newer").rope_theta, 7.5);
}

TEST(Config, ThetaHasNoDefault) {
  EXPECT_THAT(refusal(qwen(), [](json& c) { c.erase("rope_theta"); }),
              HasSubstr("no field \"rope_theta\" in config.json"));
  EXPECT_THAT(refusal(llama(), [](json& c) { c.erase("rope_theta"); }), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal(qwen(),
                      [](json& c) {
                        c["rope_parameters"] = {{"rope_type", "default"}};
                        c.erase("rope_theta");
                      }),
              HasSubstr("rope_theta"));
  for (const json& theta : {json(0), json(-1.0), json("10000"), json(nullptr)}) {
    EXPECT_THAT(refusal(qwen(), [&](json& c) { c["rope_theta"] = theta; }),
                HasSubstr("rope_theta"));
  }
}

TEST(Config, UnknownRotaryTypesAreRefusedByName) {
  for (const char* type : {"yarn", "linear", "dynamic", "longrope", "su"}) {
    const std::string quoted = std::string("\"") + type + "\"";
    EXPECT_THAT(refusal(llama(), [&](json& c) { c["rope_scaling"]["rope_type"] = type; }),
                HasSubstr("rope_type " + quoted));
    EXPECT_THAT(refusal(qwen(),
                        [&](json& c) {
                          c["rope_scaling"] = {{"type", type}, {"factor", 2.0}};
                        }),
                HasSubstr("type " + quoted));
    EXPECT_THAT(refusal(qwen(),
                        [&](json& c) {
                          c["rope_parameters"] = {{"rope_type", type}, {"rope_theta", 1e4}};
                        }),
                HasSubstr("rope_type " + quoted));
  }
  EXPECT_THAT(refusal(qwen(), [](json& c) { c["rope_scaling"] = "yarn"; }),
              HasSubstr("rope_scaling"));
  EXPECT_THAT(
      refusal(qwen(),
              [](json& c) {
                c["rope_parameters"] = {{"rope_theta", 1e4}, {"partial_rotary_factor", 0.5}};
              }),
      HasSubstr("partial_rotary_factor"));
}

TEST(Config, Llama3ScalingIsComplete) {
  for (const char* field :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    EXPECT_THAT(refusal(llama(), [&](json& c) { c["rope_scaling"].erase(field); }),
                HasSubstr(std::string("no field \"") + field + "\""));
  }
  EXPECT_THAT(refusal(llama(), [](json& c) { c["rope_scaling"]["factor"] = 0.5; }),
              HasSubstr("factor 0.5"));
  EXPECT_THAT(refusal(llama(), [](json& c) { c["rope_scaling"]["high_freq_factor"] = 1.0; }),
              HasSubstr("high_freq_factor 1"));
}

TEST(Config, WhatDependsOnTheFamilyIsNotGuessed) {
  const auto as_qwen3 = [](json& c) {
    c["architectures"] = {"Qwen3ForCausalLM"};
    c["model_type"] = "qwen3";
  };
  EXPECT_THAT(refusal(qwen(), as_qwen3), HasSubstr("no field \"head_dim\""));
  EXPECT_THAT(refusal(qwen(), [](json& c) { c.erase("num_key_value_heads"); }),
              HasSubstr("num_key_value_heads"));
  json heads = llama();
  heads.erase("num_key_value_heads");
  EXPECT_EQ(parse_config(heads, "llama").kv_heads, 32);
  EXPECT_THAT(refusal(qwen(), [](json& c) { c["use_sliding_window"] = true; }),
              HasSubstr("use_sliding_window = true"));
  EXPECT_THAT(refusal(qwen(), [](json& c) { c["model_type"] = "llama"; }),
              HasSubstr("model_type \"qwen2\""));
  EXPECT_THAT(refusal(llama(), [](json& c) { c["vocab_size"] = 1 << 30; }), HasSubstr("width"));
  EXPECT_THAT(refusal(llama(), [](json& c) { c["head_dim"] = 1 << 30; }), HasSubstr("width"));
}

TEST(Config, OtherArchitecturesAreNotExecutable) {
  EXPECT_TRUE(executable(qwen()));
  json without = llama();
  without.erase("architectures");
  EXPECT_TRUE(executable(without));
  const json bert = {{"architectures", {"BertModel"}}, {"model_type", "bert"}};
  EXPECT_FALSE(executable(bert));
  EXPECT_FALSE(executable(json::array()));
  EXPECT_FALSE(executable({{"architectures", {"LlamaForCausalLM", "X"}}, {"model_type", "llama"}}));
  const std::string message = refusal(bert, [](json&) {});
  EXPECT_THAT(message, HasSubstr("\"BertModel\""));
  for (const Architecture& row : architectures()) {
    EXPECT_THAT(message, HasSubstr(std::string(row.name)));
  }
}

}  // namespace
}  // namespace octet::test
