// The passes of fake-quantization in training on the device, each once over memory; the numbers are
// those of kernels/cpu/rows/fake_quant.h and cpu::round_trip. Conventions are those of kernels.h.
#pragma once
#include <cstdint>

#include "kernels/cuda/kernels.h"

namespace octet::cuda {

/// values[n, k] = scale * code of master (float32 [n, k]) in `type`, rounded from the float32
/// product; scales float32 [n, groups], group g holding the columns from g * k / groups, groups a
/// divisor of k; codes of codebook(element). inside uint8 [n, k]: 1 where the rounded quotient
/// needed no clamping.
void fake_quant_weights(const float* master, const float* scales, int64_t n, int64_t k,
                        int64_t groups, Dtype element, Dtype type, void* values, uint8_t* inside,
                        void* stream);

/// out[i] = inside[i] ? gradient[i] : 0; gradient of `type`, out float32, which may be gradient.
void mask_gradient(const void* gradient, Dtype type, const uint8_t* inside, int64_t count,
                   float* out, void* stream);

/// Per token: x [rows, k] of `type` -> scale * code of quantize_rows, in `out_type`. scale float32
/// [rows] is written unless null. A row with NaN or Inf becomes NaN.
void fake_quant_rows(const void* x, Dtype type, int64_t rows, int64_t k, Dtype out_type, void* out,
                     float* scale, void* stream);
/// Per tensor: x [count] -> scale * code of quantize_tensor; scale float32 [1]. out may be x where
/// the types agree, here and above.
void fake_quant_tensor(const void* x, Dtype type, int64_t count, const float* scale, Dtype out_type,
                       void* out, void* stream);

/// gradient[i] = |x[i]| >= limit ? 0 : gradient[i], as at::hardtanh_backward: a NaN in x keeps it.
/// Both [count] of `type`.
void mask_beyond(const void* x, Dtype type, float limit, int64_t count, void* gradient,
                 void* stream);

}  // namespace octet::cuda
