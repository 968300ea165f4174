// Quantization of activations on the CPU, fused with the producers that feed a quantized linear.
// Convention (docs/architecture.md "Numbers"): real = scale * q, symmetric, q of Int8Codes
// (kernels/codebook.h), scale = absmax / kDivisor, round half to even; an all-zero row has scale 1
// and q 0. NaN or Inf in a row: the scale becomes NaN (so that the damage stays visible) and q is
// 0. All matrices are row-major, rows may be 0.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// Per token: x [rows, k] -> q [rows, k], scale [rows].
void quantize_rows(const float* x, int64_t rows, int64_t k, int8_t* q, float* scale);

/// Per tensor with a given scale: x [count] -> q [count], clamped to Int8Codes.
void quantize_tensor(const float* x, int64_t count, float scale, int8_t* q);

/// RMSNorm: y[r, j] = x[r, j] * rsqrt(mean(x[r]^2) + eps) * weight[j]  (float32, mean in float64 or
/// a fixed blocked order: the result of a row never depends on the number of rows or threads).
void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t k, float* y);

/// rms_norm then quantize_rows in one pass over memory; bit-equal to the two calls in sequence.
void rms_norm_quantize_rows(const float* x, const float* weight, float eps, int64_t rows, int64_t k,
                            int8_t* q, float* scale);
/// rms_norm then quantize_tensor; bit-equal to the two calls in sequence.
void rms_norm_quantize_tensor(const float* x, const float* weight, float eps, int64_t rows,
                              int64_t k, float scale, int8_t* q);

/// y[r, j] = silu(gate_up[r, j]) * gate_up[r, k + j]; gate_up [rows, 2k], y [rows, k].
void silu_mul(const float* gate_up, int64_t rows, int64_t k, float* y);
/// silu_mul then quantize_rows / quantize_tensor; bit-equal to the two calls in sequence.
void silu_mul_quantize_rows(const float* gate_up, int64_t rows, int64_t k, int8_t* q, float* scale);
void silu_mul_quantize_tensor(const float* gate_up, int64_t rows, int64_t k, float scale,
                              int8_t* q);

/// LayerNorm of x + delta [rows, k] (delta may be null): y = (x - mean) * rsqrt(variance + eps) *
/// weight + bias, in float32, sums in a fixed order. y may be x or delta.
void layer_norm(const float* x, const float* delta, const float* weight, const float* bias,
                float eps, int64_t rows, int64_t k, float* y);

enum class RowActivation { kRelu, kSilu };
/// y = activation(x); x [rows, k].
void activate_rows(RowActivation activation, const float* x, int64_t rows, int64_t k, float* y);
/// activate_rows then quantize_rows / quantize_tensor; bit-equal to the two calls in sequence.
void activate_quantize_rows(RowActivation activation, const float* x, int64_t rows, int64_t k,
                            int8_t* q, float* scale);
void activate_quantize_tensor(RowActivation activation, const float* x, int64_t rows, int64_t k,
                              float scale, int8_t* q);

/// layer_norm, and its result quantized as by quantize_rows / quantize_tensor: both are needed
/// where the norm stands behind the sum.
void layer_norm_quantize_rows(const float* x, const float* delta, const float* weight,
                              const float* bias, float eps, int64_t rows, int64_t k, float* y,
                              int8_t* q, float* scale);
void layer_norm_quantize_tensor(const float* x, const float* delta, const float* weight,
                                const float* bias, float eps, int64_t rows, int64_t k, float scale,
                                float* y, int8_t* q);

}  // namespace octet::cpu
