// The search settings of an encoder-decoder, from generation_config.json.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/config.h"

namespace octet {

class SourceModel;

/// Fields of transformers' GenerationConfig that translation uses, with its meaning.
struct GenerationConfig {
  int64_t start = 0, eos = 0;
  int64_t beams = 1;  ///< 1: greedy
  double length_penalty = 1;
  bool early_stopping = false;        ///< stop as soon as `beams` hypotheses are complete
  bool renormalize = false;           ///< log-probabilities sum to 1 again without `forbidden`
  int64_t max_length = 512;           ///< ids of an output, start and EOS included; not above the
                                      ///< model's positions
  std::optional<int64_t> forced_eos;  ///< the only choice at max_length
  std::vector<int64_t> forbidden;     ///< ids that are never chosen
};

/// From the content of a generation_config.json; fields that it lacks come from the model's own
/// config.json, as older checkpoints have it (`what` names the files in errors).
GenerationConfig parse_generation(const nlohmann::json& generation, const nlohmann::json& config,
                                  const std::string& what);
GenerationConfig read_generation(const SourceModel& model);

}  // namespace octet
