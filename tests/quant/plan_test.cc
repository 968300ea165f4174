// Which layer gets which scheme, what config.json says of it, and what vLLM's rules say.
#include "quant/schemes/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/architectures/llama.h"
#include "quant/formats/compressed_tensors/quantization_config.h"
#include "quant/formats/compressed_tensors/vllm_rules.h"

namespace octet {
namespace {

using testing::HasSubstr;

Topology topology(bool tied = true) {
  ModelConfig c;
  c.hidden = 64, c.intermediate = 160, c.layers = 2, c.heads = 4, c.kv_heads = 2, c.head_dim = 16;
  c.vocab = 96, c.tied = tied;
  return Llama(c).topology();
}

PlanRules rules(const std::string& scheme) {
  return default_rules("LlamaForCausalLM", scheme);
}

std::map<std::string, ModulePlan> plan_of(const PlanRules& rules, const StaticInputs& inputs = {}) {
  std::map<std::string, ModulePlan> plan;
  for (const ModulePlan& module : plan_modules(topology(), rules, inputs)) {
    plan[module.module] = module;
  }
  return plan;
}

std::string error_of(const PlanRules& rules) {
  try {
    plan_of(rules);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

TEST(Schemes, GroupsAreMultiplesOfEight) {
  const Scheme scheme = parse_scheme("w4a16-g64");
  EXPECT_EQ(scheme.weight.element, Dtype::kI4);
  EXPECT_EQ(scheme.weight.group, 64);
  for (const char* bad : {"w4a16-g", "w4a16-g0", "w4a16-g12", "w4a16-g-8", "w4a16-g064",
                          "w4a16-g64x", "w4a16", "w4a16-g99999999999999999999", "int8"}) {
    EXPECT_THROW(parse_scheme(bad), UsageError) << bad;
  }
  EXPECT_EQ(parse_head("w8a8").name, "w8a8-dynamic");
  EXPECT_THROW(parse_head("w4a16-g64"), UsageError);
}

TEST(Plan, ProjectionsAreQuantizedAndTheHeadIsKept) {
  auto plan = plan_of(rules("w4a16-g32"));
  EXPECT_EQ(plan.size(), 15U);
  EXPECT_EQ(plan["model.layers.1.mlp.down_proj"].scheme.name, "w4a16-g32");
  EXPECT_TRUE(plan["model.layers.1.mlp.down_proj"].clip_search);
  EXPECT_EQ(plan["model.layers.1.mlp.down_proj"].k, 160);
  EXPECT_FALSE(plan["lm_head"].quantized());
  EXPECT_EQ(plan["lm_head"].source, "model.embed_tokens.weight");
  EXPECT_FALSE(plan_of(rules("w8a16"))["model.layers.1.mlp.up_proj"].clip_search);
}

TEST(Plan, MatricesOfOneInputMoveTogether) {
  PlanRules r = rules("w4a16-g32");
  r.layers = {{R"(.*\.0\..*v_proj)", parse_scheme("w8a16")}};
  auto plan = plan_of(r);
  EXPECT_EQ(plan["model.layers.0.self_attn.q_proj"].scheme.name, "w8a16");
  EXPECT_THAT(plan["model.layers.0.self_attn.q_proj"].reason, HasSubstr("reads the same input"));
  EXPECT_THAT(plan["model.layers.0.self_attn.v_proj"].reason, HasSubstr("--layer"));
  EXPECT_EQ(plan["model.layers.1.self_attn.v_proj"].scheme.name, "w4a16-g32");
}

TEST(Plan, LaterRulesWinAndIgnoreWinsOverAll) {
  PlanRules r = rules("w8a16");
  r.layers = {parse_layer_rule(".*=w4a16-g32"), parse_layer_rule(".*down_proj=w8a8-dynamic")};
  r.ignore = {R"(model\.layers\.0\.mlp\.down_proj$)"};
  auto plan = plan_of(r);
  EXPECT_EQ(plan["model.layers.1.mlp.down_proj"].scheme.name, "w8a8-dynamic");
  EXPECT_EQ(plan["model.layers.1.mlp.up_proj"].scheme.name, "w4a16-g32");
  EXPECT_FALSE(plan["model.layers.0.mlp.down_proj"].quantized());
  EXPECT_FALSE(plan["lm_head"].quantized()) << "the head goes by --head alone";
}

TEST(Plan, MistakesAreToldWithTheirRemedy) {
  PlanRules r = rules("w8a16");
  r.ignore = {"down_proj"};
  EXPECT_THAT(error_of(r), HasSubstr("'.*down_proj'"));
  r.ignore = {".*(down"};
  EXPECT_THAT(error_of(r), HasSubstr("pattern"));
  r.ignore = {};
  r.layers = {parse_layer_rule(".*up_proj=w4a16-g32"), parse_layer_rule(".*=w8a16")};
  EXPECT_THAT(error_of(r), HasSubstr("decides no layer"));
  EXPECT_THAT(error_of(rules("w4a16-g64")),
              testing::AllOf(HasSubstr("down_proj"), HasSubstr("8, 16, 32, 40, 80, 160")));
  EXPECT_THROW(parse_layer_rule("w8a16"), UsageError);
}

TEST(Plan, StaticSitesTakeTheirRanges) {
  PlanRules r = rules("w8a16");
  r.layers = {parse_layer_rule(".*o_proj=w8a8-static")};
  EXPECT_THROW(plan_of(r), Error);
  auto plan = plan_of(r, {{"model.layers.0.self_attn.o_proj", {2.5, 3.0, false, ""}},
                          {"model.layers.1.self_attn.o_proj", {0, 0, true, "outliers"}}});
  EXPECT_EQ(plan["model.layers.0.self_attn.o_proj"].input_range, 2.5);
  EXPECT_EQ(plan["model.layers.1.self_attn.o_proj"].scheme.name, "w8a8-dynamic");
  EXPECT_EQ(plan["model.layers.1.self_attn.o_proj"].reason, "outliers");
}

TEST(QuantizationConfig, NamesEveryLayerOnceAndTellsTheFormats) {
  PlanRules r = rules("w4a16-g32");
  r.head = parse_head("w8a8");
  r.ignore = {".*o_proj"};
  const std::vector<ModulePlan> plan = plan_modules(topology(), r);
  const auto config =
      nlohmann::json::parse(quantized_config(R"({"tie_word_embeddings":true})", plan));
  EXPECT_EQ(config["tie_word_embeddings"], false);
  const auto& q = config["quantization_config"];
  EXPECT_EQ(q["format"], "mixed-precision");
  EXPECT_EQ(q["ignore"].size(), 2U);
  EXPECT_EQ(q["config_groups"]["group_0"]["targets"].size(), 12U);
  EXPECT_EQ(q["config_groups"]["group_0"]["format"], "pack-quantized");
  EXPECT_EQ(q["config_groups"]["group_0"]["weights"]["group_size"], 32);
  EXPECT_EQ(q["config_groups"]["group_1"]["targets"], nlohmann::json({"lm_head"}));
  EXPECT_EQ(q["config_groups"]["group_1"]["format"], "int-quantized");
}

TEST(QuantizationConfig, ListsModulesThatTransformers5RenamesTwice) {
  ModelConfig config;
  config.architecture = "ViTForImageClassification";
  config.hidden = 16, config.intermediate = 32, config.layers = 1,
  config.heads = config.kv_heads = 2;
  config.vocab = 3;
  config.image = ImageConfig{1, 8, 8, 4, 4, {"a", "b", "c"}};
  PlanRules r = default_rules(config.architecture, "w8a16");
  r.ignore = {R"(.*\.0\.output\.dense)"};
  const auto q = nlohmann::json::parse(quantized_config(
      "{}", plan_modules(make_model(config)->topology(), r)))["quantization_config"];
  const std::string block = "vit.encoder.layer.0.", renamed = "vit.layers.0.";
  EXPECT_EQ(q["config_groups"]["group_0"]["targets"],
            nlohmann::json({block + "attention.attention.query", renamed + "attention.q_proj",
                            block + "attention.attention.key", renamed + "attention.k_proj",
                            block + "attention.attention.value", renamed + "attention.v_proj",
                            block + "attention.output.dense", renamed + "attention.o_proj",
                            block + "intermediate.dense", renamed + "mlp.fc1"}));
  EXPECT_EQ(q["ignore"],
            nlohmann::json({block + "output.dense", renamed + "mlp.fc2", "classifier"}));
}

struct VllmCase {
  const char* scheme;
  const char* dtype;
  int64_t n, k;
  bool refused;
  const char* told;  // part of the finding; null: none
};

TEST(VllmRules, FollowItsTable) {
  const VllmCase cases[] = {
      {"w4a16-g128", "bfloat16", 4096, 4096, false, nullptr},
      {"w4a16-g64", "float16", 960, 576, false, "padded"},
      {"w8a16", "bfloat16", 576, 1536, false, nullptr},
      {"w4a16-g16", "bfloat16", 4096, 4096, true, "no kernel"},
      {"w4a16-g16", "float16", 4096, 4096, false, "Exllama"},
      {"w4a16-g16", "float16", 4100, 4096, true, "no kernel"},
      {"w4a16-g256", "bfloat16", 4096, 4096, false, "Triton"},
      {"w8a8-dynamic", "bfloat16", 4096, 4096, false, "compute capability 10.0"},
      {"w8a8-dynamic", "bfloat16", 4100, 4096, false, "Triton"},
      {"fp16", "bfloat16", 4100, 4100, false, nullptr}};
  for (const VllmCase& one : cases) {
    Topology t;
    t.sites = {{0, "layer", {{"layer", one.n, one.k, false}}, ""}};
    ModulePlan module;
    module.module = t.sites.front().name;
    module.scheme = parse_scheme(one.scheme);
    std::string told;
    bool refused = false;
    for (const VllmFinding& finding : check_vllm(t, {module}, one.dtype)) {
      told += finding.reason;
      refused = refused || finding.refused;
    }
    EXPECT_EQ(refused, one.refused) << one.scheme << " " << told;
    if (one.told == nullptr) {
      EXPECT_EQ(told, "") << one.scheme;
    } else {
      EXPECT_THAT(told, HasSubstr(one.told));
    }
  }
}

TEST(VllmRules, FusedLayersMustAgree) {
  Topology t;
  t.sites = {{0, "gate_up_proj", {{"gate_proj", 64, 128, false}, {"up_proj", 64, 128, false}}, ""}};
  ModulePlan gate, up;
  gate.module = t.sites.front().matrices[0].name, up.module = t.sites.front().matrices[1].name;
  gate.scheme = up.scheme = parse_scheme("w8a8-static");
  gate.input_range = 1, up.input_range = 2;
  EXPECT_TRUE(check_vllm(t, {gate, up}, "float16").front().refused);
  up.input_range = 1;
  EXPECT_FALSE(check_vllm(t, {gate, up}, "float16").front().refused);
  up.scheme = Scheme();
  EXPECT_TRUE(check_vllm(t, {gate, up}, "float16").front().refused);
}

}  // namespace
}  // namespace octet
