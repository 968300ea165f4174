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
  std::unique_ptr<TensorSource> source;
  Dtype scale_type = Dtype::kBF16;  ///< of the scales that are written
};

/// Errors about options and about a model that cannot be quantized come from here, before anything
/// is written.
QuantizeJob make_job(const QuantizeOptions& options);

/// How options.range chooses the inputs of every site in options.calib, by site name. Error for a
/// store that is not whole or belongs to another model.
StaticInputs static_inputs(const QuantizeOptions& options);

}  // namespace octet
