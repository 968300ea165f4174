// One pass over an activation for its observers.
#pragma once
#include <cstdint>

namespace octet::cpu {

/// absmax[j] = max(absmax[j], max_r |x[r, j]|) for x float32 [rows, k]; NaN anywhere makes that
/// absmax NaN.
void channel_absmax(const float* x, int64_t rows, int64_t k, float* absmax);

/// counts[min(floor(|x_i| / width), bins - 1)] += 1 for x_i != 0; returns the number of zeros.
/// width is a power of two, so the quotient is exact. x must be finite. Any thread count gives the
/// same counts.
int64_t histogram(const float* x, int64_t count, float width, int64_t* counts, int64_t bins);

}  // namespace octet::cpu
