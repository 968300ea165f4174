// The quantized and kept precisions of a site. None of them ever holds a dequantized copy of a
// whole weight.
#pragma once
#include <ATen/core/Tensor.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "kernels/cpu/gemm/int8_gemm.h"
#include "kernels/cpu/gemm/packed_weights.h"
#include "models/run/linear.h"

namespace octet {
namespace cuda {
class GemmAutotuner;
}

/// Counts of the work done by the linears of one model; shared by all of them.
struct RunCounters {
  std::atomic<int64_t> int8_gemms{0};         ///< linears run with integer dot products
  std::atomic<int64_t> packed_gemms{0};       ///< weight-only linears run on packed weights
  std::atomic<int64_t> dequantized_tiles{0};  ///< tiles of weight rows dequantized to float
  std::atomic<int64_t> largest_tile_rows{0};  ///< rows of the largest such tile
};

/// Where and how the linears run.
struct LinearContext {
  at::ScalarType compute = at::kFloat;
  at::Device device = at::kCPU;
  std::shared_ptr<RunCounters> counters = std::make_shared<RunCounters>();
  std::shared_ptr<cuda::GemmAutotuner> gemm;  ///< on a GPU; null: one for each linear
};

/// Codes of a site: q int8 [sum N, K] of `element`, scale float32 [sum N, groups], bias in the
/// compute dtype or undefined, input_scale float32 [1] or undefined. Error when the site's matrices
/// disagree in scheme or input scale.
struct QuantizedSite {
  at::Tensor q, scale, bias, input_scale;
  Dtype element = Dtype::kI8;
  int64_t group = 0;  ///< 0: one scale a row
  Format input;       ///< what the linear reads
};
QuantizedSite load_quantized_site(const Site& site, WeightSource& source,
                                  const LinearContext& context);

/// W8A8: INT8 activations per token or per tensor, INT32 accumulation, scales in the epilogue.
class W8A8Linear : public Linear {
 public:
  W8A8Linear(const QuantizedSite& codes, LinearContext context);
  Format wants() const override { return format_; }
  at::Tensor input_scale() const override { return input_scale_; }
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>&) override {}
  void warm_up(int64_t rows) override;
  uint64_t bytes() const override;

 private:
  at::Tensor forward_cuda(const Activation& input, int64_t rows);
  at::Tensor forward_cublas(const at::Tensor& q, const Activation& input);
  Format format_;
  LinearContext context_;
  int64_t n_, k_;
  at::Tensor scale_, bias_, input_scale_;
  std::optional<cpu::PackedInt8> packed_;  // CPU
  // GPU: codes [n, k], scales and bias (float32 and compute dtype) [n], n and k padded to
  // multiples of 16.
  at::Tensor q_, padded_scale_, padded_bias_, typed_bias_;
};

/// W8A16 with one scale a row: float activations; codes are dequantized in registers or, on the
/// GPU, tile by tile.
class WeightOnlyLinear : public Linear {
 public:
  WeightOnlyLinear(const QuantizedSite& codes, LinearContext context);
  Format wants() const override { return Format::kFloat; }
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>&) override {}
  void warm_up(int64_t) override {}
  uint64_t bytes() const override;

 private:
  LinearContext context_;
  int64_t n_, k_;
  std::optional<cpu::PackedWeights> packed_;  // CPU
  at::Tensor q_, scale_;                      // GPU
  at::Tensor bias_;
};

/// Weights of 4 bits or in groups along K with float activations: dequantized in registers on the
/// CPU, otherwise tile by tile.
class GroupedWeightOnlyLinear : public Linear {
 public:
  GroupedWeightOnlyLinear(const QuantizedSite& codes, LinearContext context);
  Format wants() const override { return Format::kFloat; }
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>&) override {}
  void warm_up(int64_t) override {}
  uint64_t bytes() const override;

 private:
  void pack_for_gpu(const QuantizedSite& codes);
  at::Tensor small_m(const at::Tensor& x) const;
  void dequantize(int64_t row, int64_t rows, at::Tensor& out) const;
  LinearContext context_;
  int64_t n_, k_, group_;
  Dtype element_;
  std::optional<cpu::PackedWeights> packed_;  // CPU, groups of even size
  // Otherwise: int8 [n, k]; for 4 bits bytes [n, ceil(k/2)] of two codes + 8, on a GPU as pack_w4
  // (kernels/cuda/gemm/small_m.h) lays codes and scales out.
  at::Tensor q_;
  at::Tensor scale_, bias_;
};

/// The Linear that runs such codes: INT8 where inputs are quantized, else weight-only.
std::unique_ptr<Linear> make_quantized_linear(const QuantizedSite& codes,
                                              const LinearContext& context);

/// A float weight kept in its stored dtype (an FP16 head under FP32 compute), dequantized as
/// WeightOnlyLinear does.
class KeptLinear : public Linear {
 public:
  KeptLinear(const Site& site, WeightSource& source, LinearContext context);
  Format wants() const override { return Format::kFloat; }
  at::Tensor forward(const Activation& input) override;
  void parameters(std::vector<Parameter>&) override {}
  void warm_up(int64_t) override {}
  uint64_t bytes() const override;

 private:
  LinearContext context_;
  at::Tensor weight_, bias_;
};

}  // namespace octet
