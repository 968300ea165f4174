// Activation, gate and quantization in one pass over memory.
#include <type_traits>

#include "kernels/cuda/row_block.cuh"

namespace octet::cuda {
namespace {

/// In float32, by the formulas that PyTorch documents.
template <RowActivation kAct>
__device__ float activated(float x) {
  if constexpr (kAct == RowActivation::kSilu) {
    return x / (1.0f + expf(-x));
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

/// x / b, rounded as by IEEE, without a branch: for 1 <= b <= 2^116 and |x| <= 128, where nothing
/// overflows and no remainder is lost.
__device__ float quotient(float x, float b) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(b));
  inverse = fmaf(fmaf(-b, inverse, 1.0f), inverse, inverse);
  float q = x * inverse;
  q = fmaf(fmaf(-b, q, x), inverse, q);
  return fmaf(fmaf(-b, q, x), inverse, q);
}

template <RowActivation kAct>
__device__ void activate8(float (&x)[8]) {
  if constexpr (kAct == RowActivation::kSilu) {
    bool usual = true;
#pragma unroll
    for (int i = 0; i < 8; ++i) usual = usual & (fabsf(x[i]) <= 80.0f);
    if (__builtin_expect(usual, 1)) {
#pragma unroll
      for (int i = 0; i < 8; ++i) x[i] = quotient(x[i], 1.0f + expf(-x[i]));
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) x[i] = activated<kAct>(x[i]);
}

/// Rows [k] of x, or [2k] with the gate in front.
template <typename Element, RowActivation kAct, bool kGated>
struct GateRows {
  using T = Element;
  const T* x;
  int64_t k;
  RowTarget to;

  template <bool kWarp>
  __device__ void row(int64_t r) const {
    const T* gate = x + r * k * (kGated ? 2 : 1);
    Vec8<T> held[kVectors], up[kGated ? kVectors : 1];
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      const int64_t j = column<kWarp>(v);
      if (j >= k) continue;
      held[v] = load8(gate + j);
      if constexpr (kGated) up[v] = load8(gate + k + j);
    }
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      if (column<kWarp>(v) < k) held[v] = value8(held[v], up[kGated ? v : 0]);
    }
    finish_row<kWarp>(held, r, k, to);
  }

  __device__ void elements(int64_t r) const {
    const T* gate = x + r * k * (kGated ? 2 : 1);
    const auto value = [&](int64_t j) {
      float y = to_float(from_float<T>(activated<kAct>(to_float(gate[j]))));
      if constexpr (kGated) y = to_float(from_float<T>(y * to_float(gate[k + j])));
      return y;
    };
    finish_elements<T>(value, r, k, to);
  }

 private:
  __device__ static Vec8<T> value8(const Vec8<T>& gate, const Vec8<T>& up) {
    float y[8];
    widen8(gate, y);
    activate8<kAct>(y);
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
void launch(RowActivation activation, const void* x, Type type, int64_t rows, int64_t k,
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

void gate_rows(RowActivation activation, const void* gate_up, Type type, int64_t rows, int64_t k,
               const RowTarget& to, void* stream) {
  launch<true>(activation, gate_up, type, rows, k, to, stream, "gate_rows");
}

void activate_rows(RowActivation activation, const void* x, Type type, int64_t rows, int64_t k,
                   const RowTarget& to, void* stream) {
  launch<false>(activation, x, type, rows, k, to, stream, "activate_rows");
}

}  // namespace octet::cuda
