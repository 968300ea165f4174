// The elementwise passes of fake-quantization in training, each once over memory.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// out[r, j] = scale * q[r, j], scale being scales[r], or scales[0] for all rows unless `per_row`.
void dequantize_weights(const int8_t* q, int64_t rows, int64_t k, const float* scales, bool per_row,
                        float* out);

/// Straight-through gradient: gradient[i] becomes 0 where inside[i] is 0 (the code was clamped) and
/// stays elsewhere.
void mask_gradient(const uint8_t* inside, int64_t count, float* gradient);

/// The same for inputs: 0 where |x[i]| >= limit, in the sense of at::hardtanh_backward.
void mask_beyond(const float* x, float limit, int64_t count, float* gradient);

}  // namespace octet::cpu
