// Linear: one precision of one site. FloatLinear here; the quantized ones live in quant/.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/format.h"
#include "models/topology.h"
#include "models/weights/weight_source.h"

namespace octet {

/// The value between a producer and a linear. value: float [..., K], undefined where only q exists.
/// q: codes [tokens, K], int8 for I8; scale: float [tokens] (per token) or [1] (per tensor). sizes:
/// leading sizes.
struct Activation {
  at::Tensor value, q, scale;
  std::vector<int64_t> leading;
};

struct Parameter {
  enum class Kind { kWeight, kBias, kNorm, kEmbedding, kScale };
  Kind kind;
  std::string name;
  at::Tensor leaf;
};

class Linear {
 public:
  virtual ~Linear() = default;
  /// What it reads.
  virtual Format wants() const = 0;
  /// Of a format per tensor: float32 [1] on the device; otherwise undefined.
  virtual at::Tensor input_scale() const { return {}; }
  /// [..., K] -> [..., sum N] in the compute dtype.
  virtual at::Tensor forward(const Activation& input) = 0;
  virtual void parameters(std::vector<Parameter>& out) = 0;
  /// Tunes and allocates for this many rows, before a graph is captured.
  virtual void warm_up(int64_t rows) = 0;
  /// Bytes of weights and scales held in memory.
  virtual uint64_t bytes() const = 0;
};

/// Makes the Linear of a site; reads weights from the source it is given.
using LinearFactory = std::function<std::unique_ptr<Linear>(const Site&, WeightSource&)>;

/// Concatenated dense weight [sum N, K] and bias [sum N] (undefined without) of a site. A tied site
/// gives the table's own tensor when dtype and device already agree.
struct SiteWeights {
  at::Tensor weight, bias;
};
SiteWeights load_dense(const Site& site, WeightSource& source, at::ScalarType dtype,
                       at::Device device);

/// Bias [sum N] of a site in `dtype`, or undefined.
at::Tensor load_bias(const Site& site, WeightSource& source, at::ScalarType dtype,
                     at::Device device);

class FloatLinear : public Linear {
 public:
  FloatLinear(const Site& site, WeightSource& source, at::ScalarType compute, at::Device device);
  Format wants() const override { return Format::kFloat; }
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>& out) override;
  void warm_up(int64_t) override {}
  uint64_t bytes() const override;

 private:
  std::string name_;
  at::Tensor weight_, bias_;
};

LinearFactory float_factory(at::ScalarType compute, at::Device device);

}  // namespace octet
