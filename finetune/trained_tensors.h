// The tensors of a trained model for the writer: the items of `octet quantize` with the trained
// values.
#pragma once
#include <memory>
#include <vector>

#include "models/run/executor.h"
#include "quant/quantize_job.h"

namespace octet {

/// A source of finished tensors, and the copies that write them. Refers to nothing of the executor.
struct TrainedTensors {
  std::unique_ptr<TensorSource> source;
  std::vector<StreamItem> items;
};

/// Quantized modules as codes and scales of their FakeQuantLinear, `trained` leaves in the dtype of
/// the tensors they came from, everything else from job.source.
TrainedTensors trained_tensors(QuantizeJob& job, const Topology& topology, Executor& executor,
                               const std::vector<Parameter>& trained);

}  // namespace octet
