// What the reader makes of a quantization_config: which layer is quantized how, and what is
// refused.
#include "quant/formats/compressed_tensors/compressed_tensors_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet {
namespace {

using nlohmann::json;

json weights(int bits = 8) {
  return {{"num_bits", bits}, {"type", "int"}, {"symmetric", true}, {"strategy", "channel"}};
}

json config(const json& targets = {"Linear"}, const json& ignore = json::array()) {
  return {{"quant_method", "compressed-tensors"},
          {"quantization_status", "compressed"},
          {"format", "pack-quantized"},
          {"version", "0.19.0"},
          {"sparsity_config", json::object()},
          {"transform_config", json::object()},
          {"ignore", ignore},
          {"config_groups", {{"group_0", {{"targets", targets}, {"weights", weights()}}}}}};
}

TEST(CompressedTensorsConfig, TargetsAreNamesPatternsOrTheClass) {
  json made = config({"re:.*mlp", "a.q_proj"}, {"re:b", "c.mlp"});
  made["config_groups"]["group_1"] = {{"targets", {"Linear"}}, {"weights", weights(4)}};
  const CompressedTensorsConfig parsed(made, "x");
  EXPECT_EQ(parsed.group_of("a.q_proj")->scheme.name, "w8a16");
  EXPECT_EQ(parsed.group_of("a.mlp.up_proj")->scheme.name, "w8a16") << "no match to the end needed";
  EXPECT_EQ(parsed.group_of("a.k_proj")->scheme.name, "w4a16");
  EXPECT_EQ(parsed.group_of("b.mlp"), nullptr);
  EXPECT_EQ(parsed.group_of("c.mlp"), nullptr);
  EXPECT_NE(parsed.group_of("a.b"), nullptr) << "patterns match from the start of the name";
}

TEST(CompressedTensorsConfig, ANameBeatsPatternsAndPatternsGoByTheirText) {
  json made = config({"re:.*up"});
  made["config_groups"]["group_1"] = {{"targets", {"re:.*_up"}}, {"weights", weights(4)}};
  made["config_groups"]["group_2"] = {{"targets", {"x_up"}},
                                      {"weights", weights()},
                                      {"input_activations", {{"strategy", "tensor"}}}};
  const CompressedTensorsConfig parsed(made, "x");
  EXPECT_EQ(parsed.group_of("x_up")->scheme.name, "w8a8-static");
  EXPECT_EQ(parsed.group_of("y_up")->scheme.name, "w4a16") << "\"re:.*_up\" sorts first";
}

TEST(CompressedTensorsConfig, WhatOctetDoesNotRunIsRefusedByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"weights":{"symmetric":false}})", "asymmetric"},
      {R"({"weights":{"type":"float"}})", "float"},
      {R"({"weights":{"num_bits":3}})", "3-bit"},
      {R"({"weights":{"actorder":"group"}})", "actorder"},
      {R"({"weights":{"strategy":"block","block_structure":[128,128]}})", "block"},
      {R"({"weights":{"strategy":"group","group_size":0}})", "group_size"},
      {R"({"weights":{"strategy":"group","group_size":32},"input_activations":{"dynamic":true,"strategy":"token"}})",
       "in groups"},
      {R"({"input_activations":{"type":"float","dynamic":true,"strategy":"token"}})", "float"},
      {R"({"input_activations":{"symmetric":false,"dynamic":true,"strategy":"token"}})",
       "symmetric"},
      {R"({"output_activations":{}})", "output_activations"},
      {R"({"format":"float-quantized"})", "float-quantized"},
      {R"({"targets":["re:("]})", "pattern"}};
  for (const auto& [patch, told] : cases) {
    json made = config();
    made["config_groups"]["group_0"].merge_patch(json::parse(patch));
    try {
      const CompressedTensorsConfig parsed(made, "x");
      ADD_FAILURE() << patch;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(told));
    }
  }
  for (const char* patch :
       {R"({"transform_config":{"config_groups":{"a":{}}}})",
        R"({"kv_cache_scheme":{"num_bits":8}})",
        R"({"sparsity_config":{"format":"sparse-24-bitmask"}})",
        R"({"quantization_status":"frozen"})", R"({"config_groups":{"group_0":["Linear"]}})"}) {
    json made = config();
    made.merge_patch(json::parse(patch));
    EXPECT_THROW(CompressedTensorsConfig(made, "x"), Error) << patch;
  }
  json harmless = config();
  harmless["config_groups"]["group_0"]["weights"].update(
      {{"actorder", "weight"}, {"observer_kwargs", json::object()}, {"scale_dtype", nullptr}});
  EXPECT_NO_THROW(CompressedTensorsConfig(harmless, "x"));
}

}  // namespace
}  // namespace octet
