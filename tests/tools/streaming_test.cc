// octet quantize on checkpoints of its own making: kills, hashes, and an architecture that octet
// does not execute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/io/input_file.h"
#include "models/weights/checkpoint_tensors.h"
#include "quant/qparams.h"
#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Streaming : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("octet-streaming-" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  nlohmann::json quantize(const std::string& scheme) const {
    const Output made = octet_cli(
        "quantize " + path("model") + " --scheme " + scheme + " --json --out " + path(scheme),
        false);
    EXPECT_EQ(made.code, 0) << octet_cli("quantize " + path("model") + " --scheme " + scheme +
                                         " --out " + path(scheme))
                                   .text;
    return nlohmann::json::parse(made.text);
  }
  static void flip(const fs::path& file, int64_t from_end) {
    std::string bytes = read_file(file);
    bytes[bytes.size() - static_cast<size_t>(from_end)] ^= 1;
    std::ofstream(file, std::ios::binary) << bytes;
  }

  fs::path folder_;
};

/// About 190 MB: large enough for kills to fall into the work.
void write_large(const fs::path& folder) {
  nlohmann::json config = toy_config_json();
  config.update({{"hidden_size", 1024},
                 {"intermediate_size", 3072},
                 {"num_hidden_layers", 8},
                 {"num_attention_heads", 16},
                 {"num_key_value_heads", 4},
                 {"head_dim", 64}});
  const Topology topology = Llama(parse_config(config, "large")).topology();
  std::map<std::string, at::Tensor> tensors;
  const auto fill = [&](const std::string& name, at::IntArrayRef shape) {
    tensors[name] = (at::randn(shape) * 0.02).to(at::kHalf);
  };
  at::manual_seed(1);
  for (const Table& table : topology.tables) fill(table.name, {table.rows, table.dim});
  for (const Norm& norm : topology.norms) fill(norm.name + ".weight", {norm.dim});
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (site.tied_to.empty()) fill(matrix.name + ".weight", {matrix.n, matrix.k});
    }
  }
  write_toy(folder, [&](auto& toy) { toy = tensors; });
  std::ofstream(folder / "config.json") << config.dump();
}

TEST_F(Streaming, FiveKillsChangeNoBit) {
  write_large(folder_ / "model");
  const Output output =
      shell("OCTET=" + octet_binary() + " " + python_binary() + " " + source_dir() +
            "/scripts/kill_test " + path("model") + " " + folder_.string() + " 5 w4a16-g64");
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_THAT(output.text, HasSubstr("same bits each time"));
}

TEST_F(Streaming, AnInterruptedRunSaysHowToGoOn) {
  write_large(folder_ / "model");
  const std::string command = "quantize " + path("model") + " --scheme w4a16-g64 --out ";
  Output output{0, ""};
  // The signal may come before it is caught or after the end: those runs do not count.
  for (int i = 0; i < 40 && output.text.find("interrupted") == std::string::npos; ++i) {
    for (const char* suffix : {"", ".partial"}) fs::remove_all(path("out") + suffix);
    output = shell("timeout --preserve-status -s INT " + std::to_string(0.2 + 0.02 * i) + " " +
                   octet_binary() + " " + command + path("out"));
  }
  ASSERT_EQ(output.code, 130) << output.text;
  EXPECT_THAT(output.text, HasSubstr("run the same command again to go on"));
  EXPECT_TRUE(fs::exists(path("out.partial")));
  const Output other =
      octet_cli("quantize " + path("model") + " --scheme w8a16 --out " + path("out"));
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.text, HasSubstr("/scheme: \"w4a16-g64\" (now \"w8a16\")"));
  EXPECT_EQ(octet_cli(command + path("out") + " --max-memory 1").code, 0)
      << "memory is no part of what is made";
  EXPECT_EQ(octet_cli(command + path("whole")).code, 0);
  EXPECT_EQ(shell("diff -r " + path("out") + " " + path("whole")).code, 0);
}

TEST_F(Streaming, VerifyNamesWhatHasChanged) {
  write_toy(folder_ / "model");
  quantize("w8a8-dynamic");
  const fs::path made = path("w8a8-dynamic");
  const Output sound = octet_cli("verify " + made.string());
  EXPECT_EQ(sound.code, 0) << sound.text;
  EXPECT_THAT(sound.text, HasSubstr("34 tensors and 2 files compared, 0 wrong"));

  // Tensors of one type lie in the order of their names: the last bytes are the last INT8 weight.
  flip(made / "model.safetensors", 3);
  flip(made / "tokenizer.json", 10);
  fs::remove(made / "config.json");
  const Output wrong = octet_cli("verify " + made.string());
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.text,
              AllOf(HasSubstr("wrong: tensor model.layers.1.self_attn.v_proj.weight of "
                              "model.safetensors: its bytes have changed\n"),
                    HasSubstr("wrong: file tokenizer.json: its bytes have changed\n"),
                    HasSubstr("wrong: file config.json: it is not there\n"), HasSubstr("3 wrong")));
  const auto json = nlohmann::json::parse(octet_cli("verify " + made.string() + " --json").text);
  EXPECT_EQ(json["wrong"].size(), 3U);
  EXPECT_EQ(json["wrong"][1]["name"], "model.layers.1.self_attn.v_proj.weight");

  const Output none = octet_cli("verify " + path("model"));
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.text, HasSubstr("no hashes in"));
}

/// A checkpoint of DeepSeek-V3's names: FP8 weights with factors of blocks, experts, a router.
class DeepSeek : public Streaming {
 protected:
  void SetUp() override {
    Streaming::SetUp();
    at::manual_seed(7);
    const std::string p = "model.layers.3.", a = p + "self_attn.", m = p + "mlp.";
    for (const char* name : {"model.embed_tokens", "lm_head"}) plain(name, {320, 256});
    for (const std::string& norm : {std::string("model.norm"), p + "input_layernorm"}) {
      plain(norm, {256});
    }
    plain(m + "gate", {2, 256});
    fp8(a + "q_a_proj", 96, 256);
    fp8(a + "kv_a_proj_with_mqa", 72, 256);
    fp8(a + "q_b_proj", 256, 96);
    fp8(a + "o_proj", 256, 256);
    for (const char* part : {"experts.0.", "experts.1.", "shared_experts."}) {
      fp8(m + part + "gate_proj", 192, 256);
      fp8(m + part + "up_proj", 192, 256);
      fp8(m + part + "down_proj", 256, 192);
    }
    fp8("model.layers.61.eh_proj", 256, 512);
    write();
  }

  void plain(const std::string& module, at::IntArrayRef shape) {
    stored_[module + ".weight"] = {Dtype::kBF16, at::randn(shape).to(at::kBFloat16)};
  }
  void fp8(const std::string& module, int64_t n, int64_t k) {
    const at::Tensor codes = at::randn({n, k}).to(at::kFloat8_e4m3fn);
    const at::Tensor factors = at::rand({(n + 127) / 128, (k + 127) / 128}) + 0.1;
    stored_[module + ".weight"] = {Dtype::kF8E4M3, codes};
    stored_[module + ".weight_scale_inv"] = {Dtype::kF32, factors};
    wide_[module] =
        codes.to(at::kFloat) *
        factors.repeat_interleave(128, 0).repeat_interleave(128, 1).narrow(0, 0, n).narrow(1, 0, k);
  }
  void write() const {
    const fs::path model = folder_ / "model";
    fs::create_directories(model);
    std::ofstream(model / "config.json") << nlohmann::json{
        {"architectures", {"DeepseekV3ForCausalLM"}},
        {"model_type", "deepseek_v3"},
        {"torch_dtype", "bfloat16"},
        {"quantization_config", {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}}}};
    std::vector<TensorInfo> infos;
    for (const auto& [name, tensor] : stored_) {
      infos.push_back({name, tensor.first, tensor.second.sizes().vec()});
    }
    SafetensorsWriter writer(model / "model.safetensors", infos);
    for (const auto& [name, tensor] : stored_) {
      writer.write(name, {static_cast<const std::byte*>(tensor.second.const_data_ptr()),
                          tensor.second.nbytes()});
    }
    writer.commit();
  }

  std::map<std::string, std::pair<Dtype, at::Tensor>> stored_;
  std::map<std::string, at::Tensor> wide_;  ///< what FP8 weights stand for
};

TEST_F(DeepSeek, RoutersAndNormsAreKeptAndExpertsQuantized) {
  const auto result = quantize("w8a8-dynamic");
  EXPECT_EQ(result["quantized"], 4 + 3 * 3);
  EXPECT_EQ(result["kept"]["model.layers.3.mlp.gate"], "router");
  EXPECT_EQ(result["kept"]["model.layers.61.eh_proj"], "not a listed projection name");
  EXPECT_EQ(result["kept_tensors"]["model.layers.*.input_layernorm.weight"]["reason"], "norm");
  CheckpointTensors made(path("w8a8-dynamic"));
  for (const char* kept : {"model.embed_tokens", "lm_head", "model.norm", "model.layers.3.mlp.gate",
                           "model.layers.3.input_layernorm"}) {
    const std::string name = std::string(kept) + ".weight";
    EXPECT_TRUE(at::equal(read_tensor(made, name), stored_.at(name).second)) << name;
  }
  for (const auto& [module, wide] : wide_) {
    EXPECT_FALSE(made.has(module + ".weight_scale_inv"));
    const at::Tensor weight = read_tensor(made, module + ".weight");
    if (module == "model.layers.61.eh_proj") {
      EXPECT_TRUE(at::equal(weight, wide.to(at::kBFloat16)));
      continue;
    }
    const QuantizedWeight expected = quantize_weight(wide, {Dtype::kI8, 0, false, Dtype::kBF16});
    EXPECT_TRUE(at::equal(weight, expected.q)) << module;
    EXPECT_TRUE(at::equal(read_tensor(made, module + ".weight_scale"), expected.scale)) << module;
  }
  const auto config = nlohmann::json::parse(read_file(path("w8a8-dynamic") + "/config.json"));
  EXPECT_EQ(config["quantization_config"]["quant_method"], "compressed-tensors");
  EXPECT_THAT(config["quantization_config"]["ignore"].dump(),
              AllOf(HasSubstr("mlp.gate\""), HasSubstr("eh_proj\""), HasSubstr("lm_head\"")));
}

TEST_F(DeepSeek, FourBitsInGroups) {
  quantize("w4a16-g32");
  CheckpointTensors made(path("w4a16-g32"));
  for (const auto& [module, wide] : wide_) {
    if (module == "model.layers.61.eh_proj") continue;
    const QuantizedWeight expected = quantize_weight(wide, {Dtype::kI4, 32, true, Dtype::kBF16});
    EXPECT_TRUE(at::equal(read_tensor(made, module + ".weight_packed"),
                          pack_qweight(expected.q, Dtype::kI4)));
    EXPECT_TRUE(at::equal(read_tensor(made, module + ".weight_scale"), expected.scale));
  }
  EXPECT_EQ(octet_cli("verify " + path("w4a16-g32")).code, 0);
}

TEST_F(DeepSeek, CalibrationAndOtherQuantizedModelsAreRefused) {
  const Output with_calibration =
      octet_cli("quantize " + path("model") + " --scheme w8a8-static --calib x --out " + path("o"));
  EXPECT_EQ(with_calibration.code, 2);
  EXPECT_THAT(with_calibration.text, HasSubstr("a scheme with calibration for DeepseekV3"));
  quantize("w8a16");
  const Output again =
      octet_cli("quantize " + path("w8a16") + " --scheme w8a16 --out " + path("o"));
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.text, HasSubstr("is quantized already"));
}

}  // namespace
}  // namespace octet::test
