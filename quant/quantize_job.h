// What `octet quantize` is going to do, decided from headers and options alone.
#pragma once
#include <memory>
#include <vector>

#include "models/weights/tensor_source.h"
#include "quant/formats/compressed_tensors/compressed_tensors.h"
#include "quant/quantize.h"

namespace octet {

struct QuantizeJob {
  std::vector<ModulePlan> plan;
  std::vector<KeptTensor> kept;  ///< of an architecture known by name alone: other tensors
  std::vector<VllmFinding> vllm;
  std::shared_ptr<TensorSource> source;
  Dtype scale_type = Dtype::kBF16;  ///< of the scales that are written
};

/// Errors about options and about a model that cannot be quantized come from here, before anything
/// is written.
QuantizeJob make_job(const SourceModel& model, const QuantizeOptions& options, Log& log);

/// Do these rules quantize the inputs of some layers with scales known beforehand?
bool needs_calibration(const PlanRules& rules);

/// How options.range chooses the inputs of every site in options.calib, by site name. Error for a
/// store that is not whole or is not of `model`; a warning for one by an older octet, which
/// identified models by names and sizes alone.
StaticInputs static_inputs(const SourceModel& model, const QuantizeOptions& options, Log& log);

}  // namespace octet
