#include "kernels/cpu/divergence.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace octet::cpu {
namespace {

// Float sums run over this many tokens before they are added to a double.
constexpr int64_t kBlock = 512;
constexpr float kLowest = -87.0F;  // exp() of less is subnormal
constexpr float kFloor = -1e20F;   // stands for -Inf in a difference, so that 1e-38 * it is nothing

// exp(x) for x <= 0 within 2 ulp, never below exp(-87); NaN stays NaN. Branch-free, so it
// vectorizes. Reduction and polynomial of Cephes expf (Moshier).
[[gnu::always_inline]] inline float exp_nonpositive(float x) {
  x = x < kLowest ? kLowest : x;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341F + kRound;
  const float k = shifted - kRound;
  const float r = (x - k * 0.693359375F) + k * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  return p * std::bit_cast<float>((exponent + 127) << 23);
}

struct Top {
  float value;
  int64_t index;  // of the first maximum
};

[[gnu::always_inline]] inline Top top_of(const float* x, int64_t n) {
  Top top{-INFINITY, 0};
  int64_t block = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    float best = -INFINITY;
#pragma omp simd reduction(max : best)
    for (int64_t i = begin; i < end; ++i) best = x[i] > best ? x[i] : best;
    if (best > top.value) {
      top.value = best;
      block = begin;
    }
  }
  const int64_t end = std::min(n, block + kBlock);
  top.index = std::find(x + block, x + end, top.value) - x;
  return top;
}

[[gnu::always_inline]] inline double sum_exp(const float* x, int64_t n, float top) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += exp_nonpositive(x[i] - top);
    total += sum;
  }
  return total;
}

struct PairSums {
  double model = 0;      // sum exp(x - top)
  double reference = 0;  // sum exp(r - top)
  double weighted = 0;   // sum exp(r - top) * ((r - top) - (x - top)), each with its own top
};

[[gnu::always_inline]] inline PairSums pair_sums(const float* x, const float* r, int64_t n,
                                                 float x_top, float r_top) {
  PairSums total;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock);
    float model = 0, reference = 0, weighted = 0;
#pragma omp simd reduction(+ : model, reference, weighted)
    for (int64_t i = begin; i < end; ++i) {
      const float a = x[i] - x_top;
      const float b = r[i] - r_top;
      const float weight = exp_nonpositive(b);
      model += exp_nonpositive(a);
      reference += weight;
      weighted += weight * ((b < kLowest ? kLowest : b) - (a < kFloor ? kFloor : a));
    }
    total.model += model;
    total.reference += reference;
    total.weighted += weighted;
  }
  return total;
}

[[gnu::always_inline]] inline RowScore score(const float* x, const float* r, int64_t n,
                                             int64_t target) {
  const Top top = top_of(x, n);
  RowScore out;
  if (r == nullptr) {
    out.nll = std::log(sum_exp(x, n, top.value)) - (double{x[target]} - top.value);
    return out;
  }
  const Top r_top = top_of(r, n);
  const PairSums sums = pair_sums(x, r, n, top.value, r_top.value);
  const double log_model = std::log(sums.model), log_reference = std::log(sums.reference);
  out.nll = log_model - (double{x[target]} - top.value);
  out.ref_nll = log_reference - (double{r[target]} - r_top.value);
  // sum p_r (log p_r - log p) with p_r = exp(b) / reference and both log-sums taken out.
  out.kl = sums.weighted / sums.reference + (log_model - log_reference);
  out.same_top1 = top.index == r_top.index;
  return out;
}

RowScore score_portable(const float* x, const float* r, int64_t n, int64_t target) {
  return score(x, r, n, target);
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma,f16c")]] RowScore score_avx2(const float* x, const float* r, int64_t n,
                                                     int64_t target) {
  return score(x, r, n, target);
}

[[gnu::target("avx512f,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")]] RowScore score_avx512(
    const float* x, const float* r, int64_t n, int64_t target) {
  return score(x, r, n, target);
}
#endif

}  // namespace

RowScore score_row(const float* logits, const float* reference, int64_t n, int64_t target,
                   Level level) {
#if defined(__x86_64__)
  if (level == Level::kVnni) return score_avx512(logits, reference, n, target);
  if (level == Level::kAvx2) return score_avx2(logits, reference, n, target);
#endif
  (void)level;
  return score_portable(logits, reference, n, target);
}

RowScore score_row(const float* logits, const float* reference, int64_t n, int64_t target) {
  static const Level level = best_level();
  return score_row(logits, reference, n, target, level);
}

}  // namespace octet::cpu
