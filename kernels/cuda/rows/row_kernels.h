// Producers of what a quantized linear reads, fused with the quantization: one pass over memory.
// Conventions are those of kernels.h; weight, bias, delta, sum and value have the type of x. Codes
// and scales are those of quantize_rows / quantize_tensor on the value as T holds it, whether
// that value is written or not. Outputs may be inputs of the same shape ([rows, k]).
#pragma once
#include <cstdint>

#include "kernels/cuda/kernels.h"

namespace octet::cuda {

/// Where the rows go.
struct RowTarget {
  int8_t* q;     ///< [rows, k], or null: the float value alone
  float* scale;  ///< per_row: [rows], written; else [1], read. Unused without q
  bool per_row;  ///< a scale a row (dynamic) or one given scale (static)
  void* value;   ///< T [rows, k] or null
};

/// s = x + delta rounded to T (delta may be null), written to `sum` unless that is null;
/// y = T(T(s * rsqrt(mean(s^2) + eps)) * weight), the mean in float32 and a fixed order.
/// x, delta, sum [rows, k], weight [k].
void rms_norm_rows(const void* x, const void* delta, const void* weight, float eps, Dtype type,
                   int64_t rows, int64_t k, void* sum, const RowTarget& to, void* stream);

/// As above with y = T((s - mean) * rsqrt(variance + eps) * weight + bias) in float32, rounded
/// once.
void layer_norm_rows(const void* x, const void* delta, const void* weight, const void* bias,
                     float eps, Dtype type, int64_t rows, int64_t k, void* sum, const RowTarget& to,
                     void* stream);

/// kGelu is the one with erf, kGeluTanh its approximation. In float32, rounded to T.
enum class RowActivation { kSilu, kGelu, kGeluTanh, kRelu };

/// y = T(T(activation(gate)) * up); gate_up [rows, 2k], gate first; must not overlap the outputs.
void gate_rows(RowActivation activation, const void* gate_up, Dtype type, int64_t rows, int64_t k,
               const RowTarget& to, void* stream);
/// y = T(activation(x)); x [rows, k].
void activate_rows(RowActivation activation, const void* x, Dtype type, int64_t rows, int64_t k,
                   const RowTarget& to, void* stream);

}  // namespace octet::cuda
