#include "finetune/initial_weights.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"
#include "models/architectures/registry.h"
#include "models/weights/weight_sources.h"

namespace octet {
namespace {

constexpr const char* kLogitsBias = "final_logits_bias";

// Variance 2 / (in + out), evenly distributed.
void fill_glorot(const std::string& name, const Matrix& matrix, uint64_t seed, at::Tensor& tensor) {
  const Random random(seed, name);
  const double bound = std::sqrt(6.0 / static_cast<double>(matrix.n + matrix.k));
  auto* data = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    data[i] = static_cast<float>(bound * (2 * random.uniform(static_cast<uint64_t>(i)) - 1));
  }
}

void settle_table(const Table& table, const ModelConfig& config, at::Tensor& tensor) {
  if (table.name.ends_with("bias")) tensor.zero_();
  const bool padded = table.rows == config.vocab && config.pad && *config.pad < table.rows;
  if (padded) tensor.select(0, *config.pad).zero_();
}

}  // namespace

std::shared_ptr<WeightSource> initial_weights(const Topology& topology, const ModelConfig& config,
                                              uint64_t seed, double deviation) {
  const bool glorot = deviation == 0 && task_kind(config) == TaskKind::kTranslation;
  const double usual = deviation > 0 ? deviation : 0.02;
  auto tensors = random_tensors(topology, seed, usual);
  for (const Table& table : topology.tables) {
    at::Tensor& tensor = tensors.at(table.name);
    if (glorot && config.scale_embedding) {
      tensor.mul_(1 / (usual * std::sqrt(static_cast<double>(table.dim))));
    }
    settle_table(table, config, tensor);
  }
  for (const Norm& norm : topology.norms) {
    tensors.at(norm.name + ".weight").fill_(1);
    if (!norm.rms) tensors.at(norm.name + ".bias").zero_();
  }
  for (const Site& site : topology.sites) {
    for (const Matrix& matrix : site.matrices) {
      if (matrix.bias) tensors.at(matrix.name + ".bias").zero_();
      const std::string name = matrix.name + ".weight";
      if (glorot && site.tied_to.empty()) fill_glorot(name, matrix, seed, tensors.at(name));
    }
  }
  return memory_weights(std::move(tensors));
}

std::vector<Parameter> trainable(std::vector<Parameter> parameters) {
  std::erase_if(parameters, [](const Parameter& p) { return p.name == kLogitsBias; });
  return parameters;
}

}  // namespace octet
