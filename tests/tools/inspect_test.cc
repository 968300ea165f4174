// octet inspect of a bare config.json and of a directory that octet does not execute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

json inspected(const std::string& arguments) {
  const Output output = octet_cli("inspect " + arguments + " --json", false);
  EXPECT_EQ(output.code, 0) << octet_cli("inspect " + arguments).text;
  return json::parse(output.text);
}

TEST(Inspect, BareConfig) {
  const std::string folder = source_dir() + "/tests/data/configs/DeepSeek-R1-Distill-";
  const json qwen = inspected("--config " + folder + "Qwen-1.5B.json");
  EXPECT_EQ(qwen["parameters"], 1'777'088'000);
  EXPECT_EQ(qwen["architecture"], "Qwen2ForCausalLM");
  EXPECT_EQ(qwen["linear_layers_to_quantize"], 28 * 7);
  EXPECT_EQ(inspected("--config " + folder + "Llama-70B.json")["parameters"], 70'553'706'496);
  EXPECT_THAT(octet_cli("inspect --config " + folder + "Qwen-7B.json").text,
              HasSubstr("7615.6 M parameters"));
  EXPECT_EQ(octet_cli("inspect").code, 2);
  EXPECT_EQ(octet_cli("inspect " + folder + " --config x.json").code, 2);
  EXPECT_EQ(octet_cli("inspect --config /nowhere.json").code, 1);
}

TEST(Inspect, UnknownArchitectureIsListedByName) {
  const fs::path folder = fs::path(testing::TempDir()) / "octet-inspect-deepseek";
  fs::create_directories(folder);
  std::ofstream(folder / "config.json")
      << R"({"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3"})";
  const std::string mlp = "model.layers.3.mlp.";
  const std::vector<TensorInfo> infos = {
      {"model.embed_tokens.weight", Dtype::kBF16, {4, 256}},
      {mlp + "gate.weight", Dtype::kBF16, {2, 256}},
      {mlp + "experts.0.up_proj.weight", Dtype::kF8E4M3, {130, 256}},
      {mlp + "experts.0.up_proj.weight_scale_inv", Dtype::kF32, {2, 2}},
      {mlp + "experts.1.up_proj.weight", Dtype::kF8E4M3, {130, 256}},
      {mlp + "experts.1.up_proj.weight_scale_inv", Dtype::kF32, {2, 2}}};
  SafetensorsWriter writer(folder / "model.safetensors", infos);
  for (const TensorInfo& info : infos) {
    writer.write(info.name, std::vector<std::byte>(byte_count(info)));
  }
  writer.commit();
  const json result = inspected(folder);
  EXPECT_FALSE(result["executable"]);
  EXPECT_EQ(result["linear_layers_to_quantize"], 2);
  EXPECT_EQ(result["modules"], json::parse(R"([{"modules": "model.layers.*.mlp.experts.*.up_proj",
      "count": 2, "shape": [130, 256], "dtype": "F8_E4M3 in blocks"}])"));
  EXPECT_EQ(result["kept"], json::parse(R"([
      {"tensors": "model.embed_tokens.weight", "count": 1, "reason": "embedding"},
      {"tensors": "model.layers.*.mlp.gate.weight", "count": 1, "reason": "router"}])"));
  EXPECT_THAT(octet_cli("inspect " + folder.string()).text, HasSubstr("router"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace octet::test
