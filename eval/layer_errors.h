// How far each quantized layer alone is from its float original, on the inputs that the original
// sees.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/context.h"

namespace octet {

struct LoadedModel;
class Samples;

/// |quantized - float| / |float| over the output of one site, Euclidean norms over all tokens.
struct LayerError {
  std::string site;
  double error = 0;
};

/// Every site that `model` runs in another precision than `reference`, in the order of the network,
/// over samples 0 .. count - 1 in batches of `batch`. Each site gets the reference's own input, so
/// that errors do not add up along the network.
std::vector<LayerError> layer_errors(LoadedModel& reference, LoadedModel& model,
                                     const Samples& samples, int64_t count, int64_t batch,
                                     Context& context);

}  // namespace octet
