// Linears with few rows (decoding), bound by the bytes of the weights: tensor-core products
// straight from global memory. Pointers are on the device; T is `type` (kernels/cuda/kernels.h). m
// may be 0; more than kSmallMMost rows throw octet::Error. Any n and k work; fast paths want
// 16-byte aligned x, q and w and the k said below. Results are bit-equal from run to run. `overlap`
// (sm_90) lets the kernel begin before its predecessor in the stream ends: only weights, their
// scales and the bias are read, and nothing is written, before the predecessor's writes are
// visible. Kernels launched so behind these must likewise wait (griddepcontrol.wait) for what they
// read.
#pragma once
#include <cstdint>

#include "kernels/cuda/kernels.h"

namespace octet::cuda {

constexpr int64_t kSmallMMost = 64;

/// y[m, n] = (q w^T)[m, n] * row_scale[per_row ? m : 0] * col_scale[n] + bias[n], rounded as by
/// dequantize(); q int8 [m, k], w int8 [n, k], y and bias (or null) T. Fast where k % 16 == 0.
void w8a8_small_m(const int8_t* q, const float* row_scale, bool per_row, const int8_t* w,
                  const float* col_scale, const void* bias, Dtype type, int64_t m, int64_t n,
                  int64_t k, void* y, void* stream, bool overlap = false);

/// y = x w^T * scale[n] + bias[n]; x, bias (or null), y T, w int8 [n, k]; float32 sums, the scale
/// applied to them. Fast where T is a 16-bit type and k % 16 == 0.
void w8a16_small_m(const void* x, const int8_t* w, const float* scale, const void* bias, Dtype type,
                   int64_t m, int64_t n, int64_t k, void* y, void* stream, bool overlap = false);

/// Bytes of pack_w4's codes and number of its scales: n is padded to 16, k to 128.
int64_t packed_w4_bytes(int64_t n, int64_t k);
int64_t packed_w4_scales(int64_t n, int64_t k, int64_t group);

/// codes [n, k] of Int4Codes and scale [n, ceil(k / group)] to the layout of w4a16_small_m
/// (described in small_m_pack.cu); packed_scale is held as scale_type (rounded to nearest).
void pack_w4(const int8_t* codes, const float* scale, int64_t n, int64_t k, int64_t group,
             Dtype scale_type, uint8_t* packed, void* packed_scale, void* stream);

/// out[rows, k] of type `type`, aligned to 16 bytes: the values scale * code of the rows from
/// `first` on, rounded once; packed aligned to 16 bytes.
void unpack_w4(const uint8_t* packed, const void* packed_scale, Dtype scale_type, int64_t group,
               int64_t first, int64_t rows, int64_t k, Dtype type, void* out, void* stream);

/// y[m, n] = sum over k of scale[n, k / group] * code[n, k] * x[m, k], + bias[n]; what pack_w4
/// wrote, scale_type float32 or `type` (else octet::Error). Codes times x are summed in float32
/// over 32 to 128 neighbouring k, those sums times their scale likewise. Fast where T is a 16-bit
/// type, k % 32 == 0 and group is 32 times a power of two.
void w4a16_small_m(const void* x, const uint8_t* packed, const void* packed_scale, Dtype scale_type,
                   int64_t group, const void* bias, Dtype type, int64_t m, int64_t n, int64_t k,
                   void* y, void* stream, bool overlap = false);

}  // namespace octet::cuda
