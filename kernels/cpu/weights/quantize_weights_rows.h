// One row's kernels behind quantize_weights.h, compiled once per CPU level. All levels give the
// same bits.
#pragma once
#include <cstdint>

#include "kernels/codebook.h"
#include "kernels/cpu/features.h"
#include "kernels/cpu/weights/quantize_weights.h"

namespace octet::cpu {

struct WeightKernels {
  /// out[j] = w[j] as float32; w: k values of `type`.
  void (*widen)(const void* w, Dtype type, int64_t k, float* out);
  /// Codes and scales of one row as quantize_weights() says. False, and outputs unspecified, when
  /// the row holds NaN or Inf or needs a scale beyond scale_type.
  bool (*quantize)(const float* x, int64_t k, const WeightCoding& coding, int8_t* codes,
                   float* scales);
  /// One row of round_trip().
  void (*round_trip)(const float* x, int64_t k, const WeightCoding& coding, const float* scales,
                     float* values, uint8_t* inside);
};

const WeightKernels& weight_kernels(Level level);
const WeightKernels& weight_kernels_portable();
const WeightKernels& weight_kernels_avx2();
const WeightKernels& weight_kernels_avx512();

}  // namespace octet::cpu
