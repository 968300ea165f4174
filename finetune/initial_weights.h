// The initial weights of training from random values, and the leaves that it trains.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "models/config.h"
#include "models/run/linear.h"
#include "models/topology.h"
#include "models/weights/weight_source.h"

namespace octet {

/// Seeded values of every tensor, float32. Norms are 1 and 0, biases 0, the row of the padding
/// token 0. Matrices and tables are normal with `deviation`; where that is 0, as suits the
/// architecture: for translation Glorot and Bengio's uniform distribution and embeddings with
/// deviation dim^-0.5 (Vaswani et al. 2017), 0.02 for others.
std::shared_ptr<WeightSource> initial_weights(const Topology& topology, const ModelConfig& config,
                                              uint64_t seed, double deviation);

/// Without those that stay what they are: final_logits_bias of translation models, a table that
/// their format has and that no recipe trains.
std::vector<Parameter> trainable(std::vector<Parameter> parameters);

}  // namespace octet
