// Quantized directories between octet and Python: those that compressed-tensors and llm-compressor
// write load here and give transformers' logits; those that octet writes load there, unchanged.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "models/source_model.h"
#include "models/weights/checkpoint_tensors.h"
#include "models/weights/weight_sources.h"
#include "quant/formats/compressed_tensors/quantized_source.h"
#include "quant/load_model.h"
#include "quant/quantize.h"
#include "tests/environment.h"
#include "tests/quant/tolerance.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScript = "quant/compressed_tensors_oracle.py";
std::string peer() {
  return source_dir() + "/.deps/compare/bin/python3";
}

const std::vector<int64_t>& ids() {
  static const std::vector<int64_t> made = [] {
    std::vector<int64_t> list(48);
    for (size_t i = 0; i < list.size(); ++i) list[i] = static_cast<int64_t>(i * 37 % 96);
    return list;
  }();
  return made;
}

class DirectoriesOracle : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    fs::remove_all(folder());
    fs::create_directories(folder());
    std::ofstream(folder() / "ids.json") << nlohmann::json(ids()).dump();
    python(kScript, "float " + path("float"));
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path folder() { return fs::path(testing::TempDir()) / "octet-directories"; }
  static std::string path(const std::string& name) { return folder() / name; }

  static at::Tensor ours(const std::string& directory) {
    const at::NoGradGuard no_gradients;
    const LoadedModel model = load_model(directory);
    Batch batch;
    batch.ids = at::tensor(ids(), at::kLong).unsqueeze(0);
    return forward(*model.model, *model.executor, batch)[0];
  }

  // Logits by transformers of each directory, and how many inputs it quantized.
  struct Oracle {
    std::shared_ptr<TensorSource> logits;
    nlohmann::json counts;
  };
  static Oracle transformers(const std::vector<std::string>& directories) {
    const fs::path out = folder() / "logits";
    fs::create_directories(out);
    std::string arguments =
        "logits " + path("ids.json") + " " + (out / "model.safetensors").string();
    for (const std::string& directory : directories) arguments += " " + directory;
    const auto counts = python(kScript, arguments);
    return {std::make_shared<CheckpointTensors>(out), counts};
  }

  // Root mean square of the difference over the deviation of the logits.
  static double distance(const Oracle& oracle, const std::string& name, const at::Tensor& logits) {
    const at::Tensor expected = read_tensor(*oracle.logits, name);
    return ((logits - expected).square().mean().sqrt() / expected.std()).item<double>();
  }

  static QuantizeResult quantize_to(const std::string& out, const std::string& scheme,
                                    const std::function<void(QuantizeOptions&)>& more = {}) {
    QuantizeOptions options;
    options.model = path("float"), options.out = path(out), options.scheme = scheme;
    if (more) more(options);
    Log log(true);
    StopToken stop;
    Context context{log, stop, "cpu", 0};
    return quantize(SourceModel(options.model), options, context);
  }
};

struct Case {
  const char* directory;
  const char* scheme;
  int quantized_inputs;  // of 15 linear layers
  // Weight-only arithmetic differs by rounding alone (tolerance.h). Per token, compressed-tensors
  // divides by absmax / 127.5 and octet by absmax / 127, so codes differ by steps.
  double tolerance;
};

TEST_F(DirectoriesOracle, ThoseOfCompressedTensorsGiveTransformersLogits) {
  python(kScript, "write " + path("float") + " " + path("theirs"));
  const Case cases[] = {{"w8a8-dynamic", "w8a8-dynamic", 14, 0.12},
                        {"w8a8-static", "w8a8-static", 14, 0.04},
                        {"naive-tensor", "w8a8-dynamic", 14, 0.12},
                        {"w8a16", "w8a16", 0, weight_only_tolerance()},
                        {"w8a16-g32", "w8a16-g32", 0, weight_only_tolerance()},
                        {"w4a16", "w4a16", 0, weight_only_tolerance()},
                        {"w4a16-g32", "w4a16-g32", 0, weight_only_tolerance()},
                        {"int4-unpacked", "w4a16-g16", 0, weight_only_tolerance()},
                        {"head", "w8a16+head-w8a16", 0, weight_only_tolerance()},
                        {"mixed", "mixed", 8, 0.12}};
  std::vector<std::string> directories = {path("float")};
  for (const Case& one : cases) directories.push_back(path("theirs/") + one.directory);
  const Oracle oracle = transformers(directories);
  EXPECT_LT(distance(oracle, "float", ours(path("float"))), 1e-4);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.directory);
    const std::string directory = path("theirs/") + one.directory;
    EXPECT_EQ(oracle.counts[one.directory]["changed"], one.quantized_inputs);
    EXPECT_EQ(load_model(directory).scheme, one.scheme);
    const at::Tensor logits = ours(directory);
    const double found = distance(oracle, one.directory, logits);
    std::printf("%-14s differs by %.2e, from float by %.2e\n", one.directory, found,
                distance(oracle, "float", logits));
    EXPECT_LT(found, one.tolerance);
    EXPECT_GT(distance(oracle, "float", logits), 1e-3 * (one.quantized_inputs == 0));
  }
}

TEST_F(DirectoriesOracle, ThoseOfOctetLoadInTransformers) {
  quantize_to("w4a16-g32", "w4a16-g32");
  quantize_to("w4a16-g16-absmax", "w4a16-g16", [](auto& o) { o.range = "absmax"; });
  quantize_to("w8a16-head", "w8a16", [](auto& o) { o.head = "w8a16"; });
  quantize_to("w8a8-head", "w8a8-dynamic", [](auto& o) { o.head = "w8a8"; });
  const QuantizeResult mixed = quantize_to("mixed", "w4a16-g32", [](auto& o) {
    o.layer = {R"(.*\.down_proj=w8a16)", R"(.*\.0\.mlp\.up_proj=w8a8-dynamic)"};
    o.ignore = {R"(.*\.1\.self_attn\.v_proj)"};
    o.head = "w8a8";
  });
  const Case cases[] = {{"w4a16-g32", "w4a16-g32", 0, weight_only_tolerance()},
                        {"w4a16-g16-absmax", "w4a16-g16", 0, weight_only_tolerance()},
                        {"w8a16-head", "w8a16+head-w8a16", 0, weight_only_tolerance()},
                        {"w8a8-head", "w8a8-dynamic+head-w8a8-dynamic", 15, 0.12},
                        {"mixed", "mixed+head-w8a8-dynamic", 3, 0.12}};
  std::vector<std::string> directories;
  for (const Case& one : cases) directories.push_back(path(one.directory));
  const Oracle oracle = transformers(directories);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.directory);
    EXPECT_EQ(oracle.counts[one.directory]["changed"], one.quantized_inputs);
    EXPECT_EQ(load_model(path(one.directory)).scheme, one.scheme);
    EXPECT_LT(distance(oracle, one.directory, ours(path(one.directory))), one.tolerance);
  }
  // All linear layers but q, k and v of the last block are quantized there, too.
  EXPECT_EQ(oracle.counts["mixed"]["linears"], 12);
  EXPECT_EQ(std::count_if(mixed.plan.begin(), mixed.plan.end(),
                          [](const ModulePlan& module) { return module.quantized(); }),
            12);
}

// Codes of llm-compressor and of octet for every quantized layer: equal, but where the quotient
// lies within half precision's rounding of a half.
void expect_equal_codes(QuantizedSource& theirs, QuantizedSource& ours, WeightSource& source,
                        const std::string& module) {
  const Weight a = theirs.get(module + ".weight"), b = ours.get(module + ".weight");
  ASSERT_EQ(a.q.sizes(), b.q.sizes());
  const at::Tensor scale = b.scale.repeat_interleave(b.q.size(1) / b.scale.size(1), 1);
  const at::Tensor quotient = source.get(module + ".weight").dense.to(at::kFloat) / scale;
  const at::Tensor differs = a.q.ne(b.q);
  const at::Tensor from_half = (quotient - quotient.floor() - 0.5).abs();
  EXPECT_TRUE((from_half.masked_select(differs) < 8 * 0x1p-11).all().item<bool>()) << module;
  EXPECT_LT(differs.to(at::kFloat).mean().item<double>(), 0.005) << module;
}

TEST_F(DirectoriesOracle, CodesAreThoseOfLlmCompressor) {
  if (!fs::exists(peer())) GTEST_SKIP() << "scripts/compare/setup installs llm-compressor";
  const Output made = shell(peer() + " " + source_dir() + "/tests/" + kScript + " llmcompressor " +
                            path("float") + " " + path("peer"));
  ASSERT_EQ(made.code, 0) << made.text;
  quantize_to("w4a16-g32-rtn", "w4a16-g32", [](auto& o) { o.range = "absmax"; });
  QuantizedSource theirs(SourceModel(path("peer/w4a16-g32"))),
      mine(SourceModel(path("w4a16-g32-rtn")));
  const auto source = SourceModel(path("float")).weights();
  for (const ModulePlan& module : plan_modules(load_model(path("float")).model->topology(),
                                               default_rules("LlamaForCausalLM", "w4a16-g32"))) {
    if (module.quantized()) expect_equal_codes(theirs, mine, *source, module.module);
  }
  const Case cases[] = {{"w8a8-dynamic", "w8a8-dynamic", 14, 0.12},
                        {"w8a16", "w8a16", 0, weight_only_tolerance()},
                        {"w4a16-g32", "w4a16-g32", 0, weight_only_tolerance()},
                        {"mixed", "mixed", 8, 0.12}};
  std::vector<std::string> directories;
  for (const Case& one : cases) directories.push_back(path("peer/") + one.directory);
  const Oracle oracle = transformers(directories);
  for (const Case& one : cases) {
    const std::string directory = path("peer/") + one.directory;
    EXPECT_EQ(oracle.counts[one.directory]["changed"], one.quantized_inputs);
    EXPECT_EQ(load_model(directory).scheme, one.scheme);
    EXPECT_LT(distance(oracle, one.directory, ours(directory)), one.tolerance) << directory;
  }
}

}  // namespace
}  // namespace octet::test
