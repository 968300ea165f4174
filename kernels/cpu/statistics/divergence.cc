#include "kernels/cpu/statistics/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/attention/exp-inl.h"

namespace octet::cpu {
namespace {

// Eight lanes whatever the CPU, lowered to what each target below has.
using Floats = float __attribute__((vector_size(32)));
constexpr int64_t kLanes = 8;

// A lane sums kBlock / kLanes tokens in float before it is added to a double.
constexpr int64_t kBlock = 256;
constexpr float kFloor = -1e20F;  // stands for -Inf in a difference, so that 1e-38 * it is nothing

[[gnu::always_inline]] inline Floats load(const float* x) {
  Floats out;
  std::memcpy(&out, x, sizeof(out));
  return out;
}

[[gnu::always_inline]] inline double sum_lanes(const Floats& x) {
  double sum = 0;
  for (int64_t lane = 0; lane < kLanes; ++lane) sum += x[lane];
  return sum;
}

struct Top {
  float value;
  int64_t index;  // of the first maximum
};

[[gnu::always_inline]] inline Top top_of(const float* x, int64_t n) {
  Top top{-INFINITY, 0};
  int64_t block = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock), whole = end - (end - begin) % kLanes;
    Floats lanes = Floats{} - INFINITY;
    for (int64_t i = begin; i < whole; i += kLanes) {
      const Floats values = load(x + i);
      lanes = values > lanes ? values : lanes;
    }
    float best = -INFINITY;
    for (int64_t lane = 0; lane < kLanes; ++lane) best = std::max(best, lanes[lane]);
    for (int64_t i = whole; i < end; ++i) best = x[i] > best ? x[i] : best;
    if (best > top.value) {
      top.value = best;
      block = begin;
    }
  }
  top.index = std::find(x + block, x + std::min(n, block + kBlock), top.value) - x;
  return top;
}

[[gnu::always_inline]] inline double sum_exp(const float* x, int64_t n, float top) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock), whole = end - (end - begin) % kLanes;
    Floats sum{};
    for (int64_t i = begin; i < whole; i += kLanes)
      sum += exp_nonpositive<Floats>(load(x + i) - top);
    total += sum_lanes(sum);
    for (int64_t i = whole; i < end; ++i) total += exp_nonpositive<float>(x[i] - top);
  }
  return total;
}

template <class Sum>
struct PairSums {
  Sum model{};      // sum exp(x - top)
  Sum reference{};  // sum exp(r - top)
  Sum weighted{};   // sum exp(r - top) * ((r - top) - (x - top)), each with its own top
};

// Adds what logits at distance a and b from their maxima give. Sum is Real or wider.
template <class Real, class Sum>
[[gnu::always_inline]] inline void add_pair(PairSums<Sum>& sums, Real a, Real b) {
  const Real lowest = Real{} + kLowestExponent, floor = Real{} + kFloor;
  const Real weight = exp_nonpositive<Real>(b);
  sums.model += exp_nonpositive<Real>(a);
  sums.reference += weight;
  sums.weighted += weight * ((b < lowest ? lowest : b) - (a < floor ? floor : a));
}

[[gnu::always_inline]] inline PairSums<double> pair_sums(const float* x, const float* r, int64_t n,
                                                         float x_top, float r_top) {
  PairSums<double> total;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock), whole = end - (end - begin) % kLanes;
    PairSums<Floats> sums;
    for (int64_t i = begin; i < whole; i += kLanes) {
      add_pair<Floats>(sums, load(x + i) - x_top, load(r + i) - r_top);
    }
    total.model += sum_lanes(sums.model);
    total.reference += sum_lanes(sums.reference);
    total.weighted += sum_lanes(sums.weighted);
    for (int64_t i = whole; i < end; ++i) add_pair<float>(total, x[i] - x_top, r[i] - r_top);
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
  const PairSums<double> sums = pair_sums(x, r, n, top.value, r_top.value);
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

[[gnu::target("avx512f,avx512bw,avx512vl,avx2,fma")]] RowScore score_avx512(const float* x,
                                                                            const float* r,
                                                                            int64_t n,
                                                                            int64_t target) {
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
