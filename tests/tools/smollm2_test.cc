// SmolLM2 through octet and through transformers: the same numbers.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/containers/safetensors.h"
#include "eval/evaluate.h"
#include "models/open.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {

std::string write_json(const std::string& name, const nlohmann::json& json) {
  const std::string path = fixtures() / name;
  std::ofstream(path) << json.dump();
  return path;
}

TEST(SmolLM2Oracle, Float32LogitsEqualTransformers) {
  const at::NoGradGuard no_gradients;
  const std::string directory = smollm2();
  const auto ids = open_windows(directory, english(), 512).window(3);
  LoadedModel model = load_model(directory);
  Batch batch;
  batch.ids = at::tensor(ids, at::kLong).unsqueeze(0);
  const at::Tensor logits = forward(*model.model, *model.executor, batch)[0].contiguous();
  const std::string out = fixtures() / "logits.safetensors";
  SafetensorsWriter writer(out, {{"logits", Dtype::kF32, logits.sizes().vec()}});
  writer.write("logits", {static_cast<const std::byte*>(logits.const_data_ptr()), logits.nbytes()});
  writer.commit();
  const auto oracle = python("tools/transformers_oracle.py",
                             "logits " + directory + " " + write_json("ids.json", ids) + " " + out);
  EXPECT_EQ(oracle["tokens"], 512);
  EXPECT_LT(oracle["worst"].get<double>(), 1e-3);
  EXPECT_GT(oracle["scale"].get<double>(), 1.0);
}

class SmolLM2SchemesOracle : public testing::TestWithParam<const char*> {};

TEST_P(SmolLM2SchemesOracle, PerplexityEqualsTransformers) {
  const std::string scheme = GetParam();
  const std::string directory = smollm2_quantized(scheme);
  const TokenWindows windows = open_windows(directory, english(), 256);
  // Codes that fall on the other side of a rounding step scatter single positions, and through the
  // first token, which all others attend to, whole windows (docs/results.md).
  const int64_t count = scheme == "w8a8-static" ? 24 : 8;
  nlohmann::json ids = nlohmann::json::array();
  for (int64_t i = 0; i < count; ++i) ids.push_back(windows.window(i));

  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  LoadedModel model = load_model(directory);
  EXPECT_EQ(model.scheme, scheme);
  const Evaluation ours = evaluate_models({&model}, nullptr, windows, count, 0, context).front();
  const bool integer = scheme != "w8a16";
  EXPECT_EQ(integer ? ours.int8_gemms : ours.packed_gemms, count * 120);
  EXPECT_EQ(integer ? ours.packed_gemms : ours.int8_gemms, 0);
  EXPECT_LE(ours.largest_tile_rows, 512);

  const auto oracle =
      python("tools/transformers_oracle.py",
             "perplexity " + directory + " " + write_json("windows-" + scheme + ".json", ids));
  EXPECT_EQ(oracle["linears"], count * 210) << "transformers sees every linear as quantized";
  EXPECT_EQ(oracle["changed"], integer ? count * 210 : 0) << "activations are quantized there, too";
  const double expected = oracle["perplexity"];
  std::printf("%s: perplexity %.4f, in transformers %.4f (%+.3f %%)\n", scheme.c_str(),
              ours.scores.perplexity, expected, 100 * (ours.scores.perplexity / expected - 1));
  EXPECT_NEAR(ours.scores.perplexity / expected, 1.0, integer ? 0.015 : 0.005);
}

INSTANTIATE_TEST_SUITE_P(Schemes, SmolLM2SchemesOracle,
                         testing::Values("w8a8-dynamic", "w8a8-static", "w8a16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace octet::test
