// AdamW with its schedule; all state is in tensors, so that a run can be saved and resumed.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/run/linear.h"

namespace octet {

struct OptimizerOptions {
  double lr = 1e-5;                 ///< at its highest
  double scale_lr = 1e-4;           ///< of learned scales
  int64_t warmup = 0;               ///< steps over which the rate rises linearly
  std::string schedule = "cosine";  ///< after them: cosine (to a tenth), inverse-sqrt or constant
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;  ///< only of weight matrices, not of tables, norms, biases, scales
  double clip = 1;          ///< largest norm of all gradients together; 0: no clipping
};

/// Share of the highest rate at `step` (from 0) of `steps`. UsageError for an unknown schedule.
double rate_at(const OptimizerOptions& options, int64_t step, int64_t steps);

/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), by torch's fused
/// kernel.
class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, OptimizerOptions options);
  void zero_gradients();
  /// Norm of all gradients together, before it is clipped to options.clip: float32 [] on their
  /// device, which is not waited for.
  at::Tensor clip_gradients();
  void step(int64_t step, int64_t steps);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// First and second moments in the order of parameters().
  const std::vector<at::Tensor>& first() const { return first_; }
  const std::vector<at::Tensor>& second() const { return second_; }

 private:
  std::vector<Parameter> parameters_;
  OptimizerOptions options_;
  std::vector<at::Tensor> first_, second_;
};

}  // namespace octet
