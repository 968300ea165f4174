// Quantized vision transformers: octet's directories load in transformers, under the names of both
// generations, and give the same class scores.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/verify.h"
#include "quant/load_model.h"
#include "quant/quantize.h"
#include "tests/environment.h"
#include "tests/models/vit.h"
#include "tests/quant/tolerance.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

// Class scores of `directory` by octet.
at::Tensor scores_of(const fs::path& directory, const at::Tensor& pixels) {
  const at::NoGradGuard no_gradients;
  const LoadedModel model = load_model(directory);
  Batch batch;
  batch.pixels = pixels;
  return forward(*model.model, *model.executor, batch);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).square().mean().sqrt() / b.std()).item<double>();
}

struct Case {
  const char* name;
  const char* scheme;
  const char* head;
  const char* loaded;
  int quantized;  // modules with a scheme in transformers, of 6 a block and the classifier
  double tolerance;
};

TEST(VitDirectoriesOracle, LoadInTransformers) {
  const VitFolder folder("make");
  const fs::path model = folder.path() / "gray";
  fs::copy_file(source_dir() + "/scripts/demo-configs/vit-fashion-mnist/preprocessor_config.json",
                model / "preprocessor_config.json");
  const Case cases[] = {
      {"w8a8-dynamic", "w8a8-dynamic", "keep", "w8a8-dynamic", 18, 0.03},
      {"w8a16", "w8a16", "keep", "w8a16", 18, weight_only_tolerance()},
      {"w4a16-g16", "w4a16-g16", "keep", "w4a16-g16", 18, weight_only_tolerance()},
      {"w8a16-head", "w8a16", "w8a16", "w8a16+head-w8a16", 19, weight_only_tolerance()}};
  std::string directories;
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  for (const Case& one : cases) {
    QuantizeOptions options;
    options.model = model, options.out = folder.path() / one.name;
    options.scheme = one.scheme, options.head = one.head;
    quantize(SourceModel(options.model), options, context);
    directories.append(" ").append(options.out);
    EXPECT_TRUE(fs::exists(fs::path(options.out) / "preprocessor_config.json"));
    EXPECT_TRUE(verify_directory(options.out, context).wrong.empty());
  }
  const fs::path stored = model.string() + ".safetensors", out = folder.path() / "out.safetensors";
  const auto counts = python("models/vit_oracle.py",
                             "logits " + stored.string() + " " + out.string() + directories);
  const at::Tensor pixels = TensorFile(stored)["pixels"], plain = TensorFile(stored)["logits"];
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const fs::path directory = folder.path() / one.name;
    EXPECT_EQ(load_model(directory).scheme, one.loaded);
    EXPECT_EQ(counts[one.name], one.quantized);
    const at::Tensor ours = scores_of(directory, pixels);
    const double found = distance(ours, TensorFile(out)[one.name]);
    std::printf("%-13s differs by %.2e, from float by %.2e\n", one.name, found,
                distance(ours, plain));
    EXPECT_LT(found, one.tolerance);
    EXPECT_GT(distance(ours, plain), 3e-4);
  }
}

}  // namespace
}  // namespace octet::test
