// Every family against transformers: checkpoints that it saved, both generations of config.json,
// GGUF files named by the gguf package, and published parameter counts.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/containers/safetensors.h"
#include "core/json.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "models/torch_dtype.h"
#include "models/weights/gguf_tensors.h"
#include "models/weights/weight_sources.h"
#include "tests/environment.h"
#include "tests/tools/support.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The cases of families_oracle.py, made once for the whole process.
const fs::path& made() {
  static const struct Folder {
    fs::path path = fs::path(testing::TempDir()) / ("octet-families-" + std::to_string(getpid()));
    Folder() {
      fs::create_directories(path);
      const Output output = shell(python_binary() + " " + source_dir() +
                                  "/tests/models/families_oracle.py make " + path.string());
      if (output.code != 0) throw std::runtime_error(output.text);
    }
    ~Folder() { fs::remove_all(path); }
  } folder;
  return folder.path;
}

at::Tensor run(const ModelConfig& config, std::shared_ptr<WeightSource> source,
               const at::Tensor& ids) {
  const at::NoGradGuard no_gradients;
  const auto model = make_model(config);
  Executor executor(model->topology(), std::move(source), float_factory(at::kFloat, at::kCPU));
  executor.load_all();
  Batch batch;
  batch.ids = ids;
  return forward(*model, executor, batch);
}

/// config.json of transformers 5 as transformers 4 wrote it.
json older_generation(json config) {
  json rope = config["rope_parameters"];
  config.erase("rope_parameters");
  config["rope_theta"] = rope["rope_theta"];
  rope.erase("rope_theta");
  config["rope_scaling"] = rope["rope_type"] == "default" ? json() : rope;
  config["torch_dtype"] = config["dtype"];
  config.erase("dtype");
  return config;
}

struct Case {
  fs::path directory, gguf;  ///< gguf may not exist
  at::Tensor ids, expected;
  explicit Case(const std::string& name)
      : directory(made() / name), gguf(directory.string() + ".gguf") {
    const SafetensorsFile file(directory.string() + ".safetensors");
    const auto read = [&file](const char* tensor_name) {
      const auto& entry = file.entries().at(tensor_name);
      at::Tensor tensor = at::empty(entry.info.shape, torch_dtype(entry.info.dtype, tensor_name));
      file.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
      return tensor;
    };
    ids = read("ids");
    expected = read("logits");
  }
  /// Largest difference of our logits from those of transformers.
  double worst(const ModelConfig& config, std::shared_ptr<WeightSource> source) const {
    return (run(config, std::move(source), ids) - expected).abs().max().item<double>();
  }
};

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(made())) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  EXPECT_EQ(names.size(), 10U);
  return names;
}

TEST(FamiliesOracle, LogitsEqualTransformers) {
  int sensitive = 0;
  for (const std::string& name : case_names()) {
    SCOPED_TRACE(name);
    const Case c(name);
    const SourceModel model(c.directory);
    const auto source = model.weights();
    ModelConfig config = model.config();
    const double worst = c.worst(config, source), scale = c.expected.abs().max().item<double>();
    std::printf("%-15s worst %.2e of %.1f\n", name.c_str(), worst, scale);
    EXPECT_LT(worst, 1e-3);
    EXPECT_GT(scale, 2);
    if (config.rope_scaling || config.sliding_window != 0) {
      config.rope_scaling.reset();
      config.sliding_window = 0;
      EXPECT_GT(c.worst(config, source), 1e-2) << "the test would not see it missing";
      ++sensitive;
    }
  }
  EXPECT_EQ(sensitive, 3);
}

TEST(FamiliesOracle, BothGenerationsOfConfigAreOneModel) {
  for (const std::string& name : case_names()) {
    SCOPED_TRACE(name);
    const Case c(name);
    const json newer = read_json(c.directory / "config.json");
    ASSERT_TRUE(newer.contains("rope_parameters") && newer.contains("dtype")) << newer;
    const ModelConfig old = parse_config(older_generation(newer), "older");
    EXPECT_EQ(old.dtype, parse_config(newer, "newer").dtype);
    EXPECT_LT(c.worst(old, SourceModel(c.directory).weights()), 1e-3);
  }
}

TEST(FamiliesOracle, GgufIsTheSameModel) {
  int files = 0;
  for (const std::string& name : case_names()) {
    SCOPED_TRACE(name);
    const Case c(name);
    if (!fs::exists(c.gguf)) continue;
    ++files;
    const SourceModel model(c.gguf), directory(c.directory);
    const ModelConfig &config = model.config(), &expected = directory.config();
    EXPECT_EQ(config.architecture, expected.architecture);
    EXPECT_EQ(config.rope_scaling, expected.rope_scaling);
    EXPECT_EQ(config.head_dim, expected.head_dim);
    EXPECT_EQ(config.tied, expected.tied);
    const auto source = std::make_shared<GgufTensors>(model.gguf(), Dtype::kF32);
    EXPECT_TRUE(source->unknown().empty());
    EXPECT_LT(c.worst(config, std::make_shared<TensorWeights>(source)), 1e-3);
  }
  EXPECT_EQ(files, 5);
}

TEST(PublishedConfigsOracle, ParameterCountsEqualTransformers) {
  std::map<std::string, int64_t> ours;
  std::string paths;
  for (const auto& entry : fs::directory_iterator(source_dir() + "/tests/data/configs")) {
    const ModelConfig config = parse_config(read_json(entry.path()), entry.path());
    ours[entry.path().stem()] = parameter_count(make_model(config)->topology());
    paths.append(" ").append(entry.path());
  }
  const std::map<std::string, int64_t> theirs =
      python("models/families_oracle.py", "count" + paths);
  EXPECT_EQ(ours, theirs);
}

}  // namespace
}  // namespace octet::test
