// Activation, gate and quantization in one pass over memory.
#include <type_traits>

#include "kernels/cuda/rows/row_block.cuh"

namespace octet::cuda {
namespace {

/// x * P(x) with P(-a) = 2^-(1 + a * p(a)), the normal distribution's; p is a minimax fit of degree
/// 9 to -log2(2 * P(-a)) / a on [0, 6], rising beyond. Against float64, P is off by less than 5e-8
/// and P(-a) by less than 4e-6 of itself up to a = 5; of the outputs for all halves 3 are not the
/// nearest half, 331 with erff.
__device__ float short_gelu(float x) {
  constexpr float kFit[] = {3.09888442779e-08f,
                            -8.81680783692e-07f,
                            1.09007293444e-05f,
                            -7.44488942549e-05f,
                            2.67825639722e-04f,
                            3.33753403680e-05f,
                            -6.99665082710e-03f,
                            5.24795717412e-02f,
                            4.59207349545e-01f,
                            1.15110573780e+00f,
                            1.0f};
  const float a = fabsf(x);
  float power = -kFit[0];
#pragma unroll
  for (int i = 1; i < 11; ++i) power = fmaf(power, a, -kFit[i]);
  float tail;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(tail) : "f"(power));
  return x * (x < 0.0f ? tail : 1.0f - tail);
}

/// In float32, by the formulas that PyTorch documents. kShort: for results rounded to two bytes.
template <RowActivation kAct, bool kShort>
__device__ float activated(float x) {
  if constexpr (kAct == RowActivation::kSilu) {
    return x / (1.0f + expf(-x));
  } else if constexpr (kAct == RowActivation::kGelu && kShort) {
    return short_gelu(x);
  } else if constexpr (kAct == RowActivation::kGelu) {
    constexpr float kRootHalf = 0.70710678118654752440f;
    return x * 0.5f * (1.0f + erff(x * kRootHalf));
  } else if constexpr (kAct == RowActivation::kGeluTanh) {
    constexpr float kRootTwoByPi = 0.79788456080286535588f;
    const float inner = kRootTwoByPi * (x + 0.044715f * (x * x * x));
    return 0.5f * x * (1.0f + tanhf(inner));
  } else {
    return x < 0.0f ? 0.0f : x;  // NaN stays
  }
}

/// x / b as by IEEE, without a branch: for 1 <= b <= 2^116 and |x| <= 128.
__device__ float divided(float x, float b) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(b));
  return quotient(x, b, fmaf(fmaf(-b, inverse, 1.0f), inverse, inverse));
}

template <RowActivation kAct, bool kShort>
__device__ void activate8(float (&x)[8]) {
  if constexpr (kAct == RowActivation::kSilu) {
    bool usual = true;
#pragma unroll
    for (int i = 0; i < 8; ++i) usual = usual & (fabsf(x[i]) <= 80.0f);
    if (__builtin_expect(usual, 1)) {
#pragma unroll
      for (int i = 0; i < 8; ++i) x[i] = divided(x[i], 1.0f + expf(-x[i]));
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) x[i] = activated<kAct, kShort>(x[i]);
}

/// Rows [k] of x, or [2k] with the gate in front.
template <typename Element, RowActivation kAct, bool kGated>
struct GateRows {
  using T = Element;
  static constexpr bool kAnyCut = false;
  static constexpr bool kShort = sizeof(T) == 2;
  static constexpr int kMatrices = kGated ? 2 : 1;
  const T* x;
  int64_t k;
  RowTarget to;

  template <typename C>
  __device__ void load(int64_t r, Vec8<T>* held) const {
    const T* gate = x + r * k * kMatrices;
    load_row<C>(gate, k, held);
    if constexpr (kGated) load_row<C>(gate + k, k, held + C::kVectors);
  }
  template <typename C>
  __device__ void row(int64_t r, Vec8<T>* held, Exchange& exchange) const {
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) {
      if (C::column(v) < k) held[v] = value8(held[v], held[kGated ? C::kVectors + v : 0]);
    }
    finish_row<C>(held, r, k, to, exchange);
  }

  __device__ void elements(int64_t r, Exchange& exchange) const {
    const T* gate = x + r * k * kMatrices;
    const auto value = [&](int64_t j) {
      float y = to_float(from_float<T>(activated<kAct, kShort>(to_float(gate[j]))));
      if constexpr (kGated) y = to_float(from_float<T>(y * to_float(gate[k + j])));
      return y;
    };
    finish_elements<T>(value, r, k, to, exchange);
  }

 private:
  __device__ static Vec8<T> value8(const Vec8<T>& gate, const Vec8<T>& up) {
    float y[8];
    widen8(gate, y);
    activate8<kAct, kShort>(y);
    const Vec8<T> alone = narrow8<T>(y);
    if constexpr (!kGated) return alone;
    float factor[8];
    widen8(alone, y);
    widen8(up, factor);
#pragma unroll
    for (int i = 0; i < 8; ++i) y[i] *= factor[i];
    return narrow8<T>(y);
  }
};

/// call(std::integral_constant) of the activation.
template <typename Call>
void with_activation(RowActivation activation, const Call& call) {
  switch (activation) {
    case RowActivation::kSilu:
      return call(std::integral_constant<RowActivation, RowActivation::kSilu>{});
    case RowActivation::kGelu:
      return call(std::integral_constant<RowActivation, RowActivation::kGelu>{});
    case RowActivation::kGeluTanh:
      return call(std::integral_constant<RowActivation, RowActivation::kGeluTanh>{});
    case RowActivation::kRelu:
      return call(std::integral_constant<RowActivation, RowActivation::kRelu>{});
  }
}

template <bool kGated>
void launch(RowActivation activation, const void* x, Dtype type, int64_t rows, int64_t k,
            const RowTarget& to, void* stream, const char* name) {
  if (rows <= 0 || k <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    with_activation(activation, [&](auto act) {
      launch_rows(GateRows<T, decltype(act)::value, kGated>{static_cast<const T*>(x), k, to}, rows,
                  k, takes_vectors(to, k) && aligned(x, 16), stream, name);
    });
  });
}

}  // namespace

void gate_rows(RowActivation activation, const void* gate_up, Dtype type, int64_t rows, int64_t k,
               const RowTarget& to, void* stream) {
  launch<true>(activation, gate_up, type, rows, k, to, stream, "gate_rows");
}

void activate_rows(RowActivation activation, const void* x, Dtype type, int64_t rows, int64_t k,
                   const RowTarget& to, void* stream) {
  launch<false>(activation, x, type, rows, k, to, stream, "activate_rows");
}

}  // namespace octet::cuda
