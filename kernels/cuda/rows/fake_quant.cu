#include "kernels/cuda/rows/fake_quant.h"

#include "kernels/cuda/rows/row_block.cuh"

namespace octet::cuda {
namespace {

/// Codes by division and rintf, as ops on the device give them.
template <typename T>
struct FakeQuantWeights {
  struct Raw {
    Vec8<float> master;
    float scale;
  };
  const float *master, *scales;
  int64_t group;
  bool few;  ///< the index of every element fits 32 bits
  float low, high;
  T* values;
  uint8_t* inside;

  __device__ Raw load(int64_t i) const {
    const int64_t index = few ? static_cast<uint32_t>(i) / static_cast<uint32_t>(group) : i / group;
    return {load8(master + i), __ldg(scales + index)};
  }
  __device__ void apply(int64_t i, const Raw& raw) const {
    float x[8], y[8];
    widen8(raw.master, x);
    uint2 kept = make_uint2(0, 0);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const unsigned bit = round_trip(x[e], raw.scale, &y[e]) << (e % 4 * 8);
      (e < 4 ? kept.x : kept.y) |= bit;
    }
    store8(values + i, narrow8<T>(y));
    *reinterpret_cast<uint2*>(inside + i) = kept;
  }
  __device__ void one(int64_t i) const {
    float y;
    inside[i] = static_cast<uint8_t>(round_trip(master[i], scales[i / group], &y));
    values[i] = from_float<T>(y);
  }

 private:
  __device__ unsigned round_trip(float x, float scale, float* y) const {
    const float step = rintf(__fdiv_rn(x, scale));
    const float bounded = step < low ? low : step > high ? high : step;  // NaN stays
    *y = __fmul_rn(bounded, scale);
    return step >= low && step <= high ? 1u : 0u;
  }
};

template <typename T>
struct MaskGradient {
  struct Raw {
    Vec8<T> gradient;
    uint2 inside;
  };
  const T* gradient;
  const uint8_t* inside;
  float* out;

  __device__ Raw load(int64_t i) const {
    return {load8(gradient + i), *reinterpret_cast<const uint2*>(inside + i)};
  }
  __device__ void apply(int64_t i, const Raw& raw) const {
    float y[8];
    widen8(raw.gradient, y);
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const unsigned byte = (e < 4 ? raw.inside.x : raw.inside.y) >> (e % 4 * 8) & 0xffu;
      if (byte == 0) y[e] = 0.0f;
    }
    store8(out + i, narrow8<float>(y));
  }
  __device__ void one(int64_t i) const {
    out[i] = inside[i] != 0 ? to_float(gradient[i]) : 0.0f;
  }
};

template <typename T>
struct MaskBeyond {
  struct Raw {
    Vec8<T> x, gradient;
  };
  const T* x;
  float limit;
  T* gradient;

  __device__ Raw load(int64_t i) const { return {load8(x + i), load8(gradient + i)}; }
  __device__ void apply(int64_t i, const Raw& raw) const {
    float at[8], y[8];
    widen8(raw.x, at);
    widen8(raw.gradient, y);
#pragma unroll
    for (int e = 0; e < 8; ++e) y[e] = beyond(at[e]) ? 0.0f : y[e];
    store8(gradient + i, narrow8<T>(y));
  }
  __device__ void one(int64_t i) const {
    if (beyond(to_float(x[i]))) gradient[i] = from_float<T>(0.0f);
  }

 private:
  __device__ bool beyond(float v) const {
    return v <= -limit || v >= limit;
  }
};

template <typename From, typename To>
struct FakeQuantRows {
  using T = From;
  static constexpr bool kAnyCut = false;
  static constexpr int kMatrices = 1;
  const From* x;
  int64_t k;
  To* out;
  float* scale;

  template <typename C>
  __device__ void load(int64_t r, Vec8<From>* held) const {
    load_row<C>(x + r * k, k, held);
  }
  template <typename C>
  __device__ void row(int64_t r, const Vec8<From>* held, Exchange& exchange) const {
    const float s = scale_of_row<C>(held, k, exchange);
    if (scale != nullptr && C::leads_row()) scale[r] = s;
    const Coder<false, From> coder(s);
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) {
      const int j = C::column(v);
      if (j >= k) continue;
      float wide[8], y[8];
      widen8(held[v], wide);
      coder.values(wide, y);
      store8(out + r * k + j, narrow8<To>(y));
    }
  }

  __device__ void elements(int64_t r, Exchange& exchange) const {
    unsigned top = 0;
    for (int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      top = max(top, __float_as_uint(to_float(x[r * k + j])) & 0x7fffffffu);
    }
    const float s = scale_of(row_max<Elements>(top, exchange));
    if (scale != nullptr && threadIdx.x == 0) scale[r] = s;
    for (int64_t j = threadIdx.x; j < k; j += blockDim.x) {
      out[r * k + j] =
          from_float<To>(__fmul_rn(static_cast<float>(code(to_float(x[r * k + j]), s)), s));
    }
  }
};

template <typename From, typename To>
struct FakeQuantTensor {
  using Raw = Vec8<From>;
  const From* x;
  const float* scale;
  To* out;

  __device__ Raw load(int64_t i) const { return load8(x + i); }
  __device__ void apply(int64_t i, const Raw& raw) const {
    float wide[8], y[8];
    widen8(raw, wide);
    Coder<true, From>(__ldg(scale)).values(wide, y);
    store8(out + i, narrow8<To>(y));
  }
  __device__ void one(int64_t i) const {
    const float s = *scale;
    out[i] = from_float<To>(__fmul_rn(static_cast<float>(code(to_float(x[i]), s)), s));
  }
};

}  // namespace

void fake_quant_weights(const float* master, const float* scales, int64_t n, int64_t k,
                        int64_t groups, Dtype element, Dtype type, void* values, uint8_t* inside,
                        void* stream) {
  if (n <= 0 || k <= 0) return;
  const Codebook codes = codebook(element);
  if (groups < 1 || k % groups != 0) {
    throw Error(
        "weights of " + std::to_string(k) + " columns in " + std::to_string(groups) + " groups",
        "groups that divide the columns", "choose another scheme");
  }
  const int64_t group = k / groups;
  const bool vectors =
      group % 8 == 0 && aligned(master, 16) && aligned(values, 16) && aligned(inside, 8);
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    const FakeQuantWeights<T> op{master,
                                 scales,
                                 group,
                                 n * k <= int64_t{UINT32_MAX},
                                 codes.low,
                                 codes.high,
                                 static_cast<T*>(values),
                                 inside};
    launch_elements(op, n * k, vectors, stream, "fake_quant_weights");
  });
}

void mask_gradient(const void* gradient, Dtype type, const uint8_t* inside, int64_t count,
                   float* out, void* stream) {
  if (count <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_elements(MaskGradient<T>{static_cast<const T*>(gradient), inside, out}, count,
                    aligned(gradient, 16) && aligned(inside, 8) && aligned(out, 16), stream,
                    "mask_gradient");
  });
}

void fake_quant_rows(const void* x, Dtype type, int64_t rows, int64_t k, Dtype out_type, void* out,
                     float* scale, void* stream) {
  if (rows <= 0) return;
  const bool vectors = k % 8 == 0 && aligned(x, 16) && aligned(out, 16);
  with_type(type, [&](auto from) {
    with_type(out_type, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      launch_rows(
          FakeQuantRows<From, To>{static_cast<const From*>(x), k, static_cast<To*>(out), scale},
          rows, k, vectors, stream, "fake_quant_rows");
    });
  });
}

void fake_quant_tensor(const void* x, Dtype type, int64_t count, const float* scale, Dtype out_type,
                       void* out, void* stream) {
  if (count <= 0) return;
  const bool vectors = aligned(x, 16) && aligned(out, 16);
  with_type(type, [&](auto from) {
    with_type(out_type, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      launch_elements(
          FakeQuantTensor<From, To>{static_cast<const From*>(x), scale, static_cast<To*>(out)},
          count, vectors, stream, "fake_quant_tensor");
    });
  });
}

void mask_beyond(const void* x, Dtype type, float limit, int64_t count, void* gradient,
                 void* stream) {
  if (count <= 0) return;
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    launch_elements(MaskBeyond<T>{static_cast<const T*>(x), limit, static_cast<T*>(gradient)},
                    count, aligned(x, 16) && aligned(gradient, 16), stream, "mask_beyond");
  });
}

}  // namespace octet::cuda
