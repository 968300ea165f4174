// CUDA kernels behind plain functions: device pointers, sizes, a stream (cudaStream_t as void*). No
// torch. Every function throws octet::Error with CUDA's own text when the launch fails. rows may be
// 0. Conventions are those of kernels/cpu/rows/quantize.h. A `type` is F32, F16 or BF16, of x and y
// unless said otherwise; any other is an Error. Codes are those of kernels/codebook.h.
#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace octet::cuda {

void quantize_rows(const void* x, Dtype type, int64_t rows, int64_t k, int8_t* q, float* scale,
                   void* stream);
void quantize_tensor(const void* x, Dtype type, int64_t count, const float* scale, int8_t* q,
                     void* stream);

/// y[m, n] = acc[m, n] * row_scale[per_row ? m : 0] * col_scale[n] + bias[n]; acc int32 [m, n] with
/// row stride `ld`, bias of type `type` or null.
void dequantize(const int32_t* acc, int64_t ld, int64_t m, int64_t n, const float* row_scale,
                bool per_row, const float* col_scale, const void* bias, Dtype type, void* y,
                void* stream);

/// out[n, k] = q[n, k] * scale[n], for one tile of rows of a weight-only linear.
void widen_int8_rows(const int8_t* q, const float* scale, int64_t rows, int64_t k, Dtype type,
                     void* out, void* stream);

/// y[m, n] for few rows m <= 8: int8 weights [n, k] widened in registers, float32 accumulation.
void w8a16_gemv(const int8_t* q, const float* scale, const void* bias, const void* x, Dtype type,
                int64_t m, int64_t n, int64_t k, void* y, void* stream);

/// As cpu::channel_absmax and cpu::histogram, on the device; zeros is one int64 added to.
void channel_absmax(const void* x, Dtype type, int64_t rows, int64_t k, float* absmax,
                    void* stream);
void histogram(const void* x, Dtype type, int64_t count, float width, int64_t* counts, int64_t bins,
               int64_t* zeros, void* stream);

}  // namespace octet::cuda
