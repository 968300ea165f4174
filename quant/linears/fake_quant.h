// FakeQuantLinear: a site in training. Its forward computes what the deployed linear computes, on
// float values that are scale * code; its weight stays a float32 master.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/run/linear.h"
#include "quant/qparams.h"
#include "quant/schemes/plan.h"

namespace octet {

struct FakeQuantOptions {
  Dtype scale_type = Dtype::kF16;       ///< scales are stored in this: of the checkpoint
  bool learn_scales = false;            ///< their logarithms are leaves (kScale), else they stay
  at::ScalarType compute = at::kFloat;  ///< of the matrix products: float32 or bfloat16
  at::Device device = at::kCPU;
};

/// On the CPU in float32, without gradients, the deployed linear itself runs: an evaluation during
/// training gives the bits of the exported model.
///
/// Codes against scales that `quantize` would choose for the weight the site starts with. Gradients
/// pass straight through the rounding, and are zero for values whose code was clamped. Learned
/// scales are those of Esser et al., "Learned Step Size Quantization" (ICLR 2020), with the
/// gradient factor 1 / sqrt(values of a scale * largest code), for the logarithm of the scale, so
/// that it stays positive and one learning rate fits all.
class FakeQuantLinear : public Linear {
 public:
  /// modules: the plan of the site's matrices, in one quantized scheme.
  FakeQuantLinear(const Site& site, WeightSource& source, const std::vector<ModulePlan>& modules,
                  const FakeQuantOptions& options);
  Format wants() const override { return scheme_.input; }
  at::Tensor input_scale() const override;
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>& out) override;
  void warm_up(int64_t) override {}
  uint64_t bytes() const override;

  Dtype element() const { return scheme_.weight.element; }
  /// What is deployed: int8 [sum N, K] and the scales [sum N, groups] as stored, on the CPU.
  QuantizedWeight deployed() const;
  /// w8a8-static: [1] as stored, on the CPU; otherwise undefined.
  at::Tensor deployed_input_scale() const;

  /// The values of one step, made again when a leaf has changed.
  struct Values {
    at::Tensor weight;       ///< scale * code [sum N, K] in the compute dtype
    at::Tensor inside;       ///< uint8 [sum N, K]: the code was not clamped
    at::Tensor scale;        ///< float32 [sum N, groups], as stored
    at::Tensor input_scale;  ///< float32 [1], or undefined
    double input_limit = 0;  ///< inputs of this magnitude or more are clamped
    int64_t group = 0;
    double top_code = 127;
  };

 private:
  Values& current() const;
  uint64_t version() const;
  Linear& deployed_linear() const;
  void refresh_scales() const;
  at::Tensor stored(const at::Tensor& log_scale) const;

  std::string name_;
  Scheme scheme_;
  FakeQuantOptions options_;
  at::Tensor weight_, bias_, log_scale_, log_input_scale_;
  // A cache of what the leaves imply.
  mutable Values values_;
  mutable uint64_t made_of_ = ~uint64_t{0};
  mutable std::unique_ptr<Linear> deployed_;
};

/// FakeQuantLinear where the plan quantizes a site, FloatLinear elsewhere.
LinearFactory fake_quant_factory(const std::vector<ModulePlan>& plan,
                                 const FakeQuantOptions& options);

}  // namespace octet
