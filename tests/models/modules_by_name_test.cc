// Linear modules told from synthetic headers of architectures that octet does not execute.
#include "models/modules_by_name.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/environment.h"

namespace octet::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Header {
  std::vector<TensorInfo> tensors;
  Header& add(const std::string& name, std::vector<int64_t> shape, Dtype dtype = Dtype::kBF16) {
    tensors.push_back({name, dtype, std::move(shape)});
    return *this;
  }
  Header& fp8(const std::string& module, int64_t n, int64_t k) {
    add(module + ".weight", {n, k}, Dtype::kF8E4M3);
    return add(module + ".weight_scale_inv", {(n + 127) / 128, (k + 127) / 128}, Dtype::kF32);
  }
};

std::map<std::string, std::vector<std::string>> members(const ModulesByName& made) {
  std::map<std::string, std::vector<std::string>> sites;
  for (const Site& site : made.topology.sites) {
    for (const Matrix& matrix : site.matrices) sites[site.name].push_back(matrix.name);
  }
  return sites;
}

std::map<std::string, std::string> reasons(const ModulesByName& made) {
  std::map<std::string, std::string> kept;
  for (const KeptTensor& tensor : made.kept) kept[tensor.name] = tensor.reason;
  return kept;
}

// The tensors of one block of DeepSeek-V3 (model.safetensors.index.json), small.
Header deepseek_v3() {
  const std::string p = "model.layers.3.", a = p + "self_attn.", m = p + "mlp.";
  Header h;
  h.add("model.embed_tokens.weight", {320, 256}).add("lm_head.weight", {320, 256});
  h.add("model.norm.weight", {256}).add(p + "input_layernorm.weight", {256});
  h.add(a + "q_a_layernorm.weight", {96}).add(a + "kv_a_layernorm.weight", {64});
  h.fp8(a + "q_a_proj", 96, 256).fp8(a + "kv_a_proj_with_mqa", 72, 256);
  h.fp8(a + "q_b_proj", 256, 96).fp8(a + "kv_b_proj", 320, 64).fp8(a + "o_proj", 256, 256);
  h.add(m + "gate.weight", {2, 256}).add(m + "gate.e_score_correction_bias", {2}, Dtype::kF32);
  for (const char* part : {"experts.0.", "experts.1.", "shared_experts."}) {
    for (const char* name : {"gate_proj", "up_proj"}) h.fp8(m + part + name, 192, 256);
    h.fp8(m + part + "down_proj", 256, 192);
  }
  return h.add("model.layers.61.eh_proj.weight", {256, 512})
      .add("model.layers.61.shared_head.head.weight", {320, 256});
}

TEST(ModulesByName, DeepseekV3KeepsRoutersNormsAndHeads) {
  const ModulesByName made = modules_by_name(deepseek_v3().tensors);
  const std::string a = "model.layers.3.self_attn.", m = "model.layers.3.mlp.";
  const auto sites = members(made);
  EXPECT_EQ(sites.size(), 4U + 3 * 2);
  EXPECT_THAT(sites.at(a + "qkv_a_proj"), ElementsAre(a + "q_a_proj", a + "kv_a_proj_with_mqa"));
  EXPECT_THAT(sites.at(m + "experts.1.gate_up_proj"),
              ElementsAre(m + "experts.1.gate_proj", m + "experts.1.up_proj"));
  EXPECT_THAT(sites.at(m + "shared_experts.down_proj"),
              ElementsAre(m + "shared_experts.down_proj"));
  EXPECT_THAT(made.topology.sites, Each(Field(&Site::block, 3)));
  EXPECT_EQ(made.topology.blocks, 4);

  EXPECT_EQ(made.block_scales.size(), 14U);
  EXPECT_EQ(made.block_scales.at(a + "o_proj.weight"), a + "o_proj.weight_scale_inv");
  const auto kept = reasons(made);
  EXPECT_EQ(kept.size(), 10U) << "scales of blocks belong to their weights";
  EXPECT_EQ(kept.at(m + "gate.weight"), "router");
  EXPECT_EQ(kept.at(m + "gate.e_score_correction_bias"), "not a weight");
  EXPECT_EQ(kept.at(a + "q_a_layernorm.weight"), "norm");
  EXPECT_EQ(kept.at("model.embed_tokens.weight"), "embedding");
  EXPECT_EQ(kept.at("lm_head.weight"), "head");
  EXPECT_EQ(kept.at("model.layers.61.eh_proj.weight"), "not a listed projection name");
  EXPECT_EQ(kept.at("model.layers.61.shared_head.head.weight"), "head");
  std::vector<std::string> matrices;
  for (const KeptTensor& tensor : made.kept) {
    if (tensor.matrix) matrices.push_back(tensor.name);
  }
  EXPECT_THAT(matrices, UnorderedElementsAre("lm_head.weight", m + "gate.weight",
                                             "model.layers.61.eh_proj.weight",
                                             "model.layers.61.shared_head.head.weight"));
}

TEST(ModulesByName, BlockScalesMustFit) {
  Header h;
  h.fp8("l.0.q_proj", 200, 130).fp8("l.0.k_proj", 200, 130).fp8("l.0.v_proj", 200, 130);
  h.fp8("l.0.mixer", 128, 128);
  h.tensors[3].shape = {2, 1};        // of k_proj: one column of blocks is missing
  h.tensors[5].dtype = Dtype::kBF16;  // of v_proj
  h.add("l.0.o_proj.weight", {8, 8}, Dtype::kF8E4M3).add("l.0.fc1.weight", {8, 8}, Dtype::kI8);
  const ModulesByName made = modules_by_name(h.tensors);
  EXPECT_THAT(members(made).at("l.0.qkv_proj"), ElementsAre("l.0.q_proj"));
  const auto kept = reasons(made);
  for (const char* name : {"k_proj", "v_proj", "o_proj"}) {
    EXPECT_THAT(kept.at(std::string("l.0.") + name + ".weight"), HasSubstr("without F32 factors"));
  }
  EXPECT_EQ(kept.at("l.0.k_proj.weight_scale_inv"), "not a weight");
  EXPECT_EQ(kept.at("l.0.fc1.weight"), "stored as I8");
  EXPECT_EQ(made.block_scales.at("l.0.mixer.weight"), "l.0.mixer.weight_scale_inv");
  EXPECT_FALSE(made.block_scales.contains("l.0.k_proj.weight"));
  EXPECT_FALSE(made.block_scales.contains("l.0.v_proj.weight"));
}

TEST(ModulesByName, MixturesOfExperts) {
  Header h;
  const std::string mixtral = "model.layers.0.block_sparse_moe.", qwen = "model.layers.1.mlp.";
  h.add(mixtral + "gate.weight", {8, 64});
  for (const char* w : {"w1", "w2", "w3"}) h.add(mixtral + "experts.5." + w + ".weight", {64, 64});
  h.add(qwen + "gate.weight", {60, 64}).add(qwen + "shared_expert_gate.weight", {1, 64});
  h.add(qwen + "shared_expert.up_proj.weight", {32, 64});
  h.add("model.layers.2.mlp.router.layer.weight", {4, 64});
  h.add("model.layers.2.mlp.experts.gate_up_proj", {4, 64, 128});
  const ModulesByName made = modules_by_name(h.tensors);
  EXPECT_THAT(members(made).at(mixtral + "experts.5.w13"),
              ElementsAre(mixtral + "experts.5.w1", mixtral + "experts.5.w3"));
  const auto kept = reasons(made);
  EXPECT_EQ(kept.at(mixtral + "gate.weight"), "router");
  EXPECT_EQ(kept.at(qwen + "gate.weight"), "router");
  EXPECT_EQ(kept.at(qwen + "shared_expert_gate.weight"), "router");
  EXPECT_EQ(kept.at("model.layers.2.mlp.router.layer.weight"), "router");
  EXPECT_EQ(kept.at("model.layers.2.mlp.experts.gate_up_proj"), "not a weight");
  EXPECT_EQ(kept.size(), 5U);
}

TEST(ModulesByName, Encoders) {
  Header h;
  const std::string layer = "bert.encoder.layer.11.";
  h.add("bert.embeddings.word_embeddings.weight", {100, 32});
  h.add("bert.embeddings.position_embeddings.weight", {64, 32});
  h.add("bert.embeddings.LayerNorm.weight", {32});
  for (const char* name : {"query", "key", "value"}) {
    h.add(layer + "attention.self." + name + ".weight", {32, 32});
    h.add(layer + "attention.self." + name + ".bias", {32});
  }
  h.add(layer + "output.dense.weight", {32, 64});
  h.add("bert.pooler.dense.weight", {32, 32})
      .add("cls.predictions.transform.dense.weight", {32, 32});
  h.add("classifier.weight", {2, 32})
      .add("vit.patch_embeddings.projection.weight", {32, 3, 16, 16});
  h.add("decoder.block.0.SelfAttention.relative_attention_bias.weight", {32, 8});
  h.add("transformer.h.0.attn.c_attn.weight", {32, 96}).add("wpe.weight", {64, 32});
  const ModulesByName made = modules_by_name(h.tensors);
  ASSERT_EQ(made.topology.sites.size(), 2U);
  const Site& qkv = made.topology.sites[0];
  EXPECT_EQ(qkv.name, layer + "attention.self.qkv");
  EXPECT_EQ(qkv.block, 11);
  EXPECT_THAT(qkv.matrices, Each(AllOf(Field(&Matrix::bias, true), Field(&Matrix::n, 32))));
  EXPECT_FALSE(made.topology.sites[1].matrices.front().bias);
  EXPECT_EQ(made.topology.sites[1].k(), 64);
  const auto kept = reasons(made);
  EXPECT_EQ(kept.at("bert.embeddings.word_embeddings.weight"), "embedding");
  EXPECT_EQ(kept.at("bert.embeddings.position_embeddings.weight"), "position table");
  EXPECT_EQ(kept.at("wpe.weight"), "position table");
  EXPECT_EQ(kept.at("bert.embeddings.LayerNorm.weight"), "norm");
  EXPECT_EQ(kept.at("decoder.block.0.SelfAttention.relative_attention_bias.weight"),
            "position table");
  for (const char* head : {"bert.pooler.dense", "cls.predictions.transform.dense", "classifier"}) {
    EXPECT_EQ(kept.at(std::string(head) + ".weight"), "head");
  }
  EXPECT_EQ(kept.at("vit.patch_embeddings.projection.weight"), "4 dimensions");
  EXPECT_EQ(kept.at("transformer.h.0.attn.c_attn.weight"), "not a listed projection name");
  EXPECT_EQ(kept.at(layer + "attention.self.key.bias"), "bias");
}

TEST(ModulesByName, OddNamesAreKept) {
  Header h;
  h.add("weight", {4, 4}).add("", {4, 4}).add(".weight", {4, 4}).add("q_proj.weight", {0, 4});
  h.add("layers.99999999999999999999.q_proj.weight", {4, 4})
      .add("...", {2})
      .add("k_proj.weight", {});
  const ModulesByName made = modules_by_name(h.tensors);
  EXPECT_THAT(members(made), testing::SizeIs(1));
  EXPECT_EQ(made.topology.sites.front().block, 0);
  EXPECT_EQ(made.kept.size(), 6U);
}

TEST(ModulesByName, EveryListedNameIsFoundAndDocumented) {
  std::ifstream file(source_dir() + "/docs/models.md");
  std::stringstream page;
  page << file.rdbuf();
  Header h;
  for (const std::string_view name : projection_names()) {
    EXPECT_THAT(page.str(), HasSubstr(fmt::format("`{}`", name)));
    h.add(fmt::format("layers.0.{}.weight", name), {4, 4});
  }
  EXPECT_THAT(modules_by_name(h.tensors).kept, IsEmpty());
}

TEST(ModulesByName, Patterns) {
  EXPECT_EQ(name_pattern("model.layers.12.mlp.experts.3.w1"), "model.layers.*.mlp.experts.*.w1");
  EXPECT_EQ(name_pattern("lm_head.weight"), "lm_head.weight");
  EXPECT_EQ(name_pattern("0"), "*");
}

}  // namespace
}  // namespace octet::test
