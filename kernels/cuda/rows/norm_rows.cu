// Sum, norm and quantization in one pass over memory.
#include "kernels/cuda/rows/row_block.cuh"

namespace octet::cuda {
namespace {

/// The steps behind one value; `wide` is the sum as T holds it.
template <typename T, bool kRms>
struct Normalize {
  float mean, inverse;

  __device__ float operator()(float wide, float weight, float bias) const {
    if constexpr (kRms) {
      const float normed = to_float(from_float<T>(__fmul_rn(wide, inverse)));
      return to_float(from_float<T>(__fmul_rn(normed, weight)));
    } else {
      return to_float(from_float<T>((wide - mean) * inverse * weight + bias));
    }
  }
};

template <typename Element, bool kRms>
struct NormRows {
  using T = Element;
  static constexpr bool kAnyCut = false;
  static constexpr int kMatrices = 1;
  const T *x, *delta, *weight, *bias;
  float eps;
  int64_t k;
  T* sum;
  RowTarget to;

  template <typename C>
  __device__ void load(int64_t r, Vec8<T>* held) const {
    load_row<C>(x + r * k, k, held);
  }
  template <typename C>
  __device__ void row(int64_t r, Vec8<T>* held, Exchange& exchange) const {
    if (delta != nullptr) add_delta<C>(r, held);
    if (sum != nullptr) store_row<C>(sum + r * k, k, held);
    const Normalize<T, kRms> norm = statistics<C>(held, exchange);
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) {
      const int j = C::column(v);
      if (j < k) held[v] = normed(norm, held[v], load8_constant(weight + j), j);
    }
    finish_row<C>(held, r, k, to, exchange);
  }

  __device__ void elements(int64_t r, Exchange& exchange) const {
    for (int64_t j = threadIdx.x; sum != nullptr && j < k; j += blockDim.x) {
      sum[r * k + j] = from_float<T>(added(r, j));
    }
    const auto wide = [&](int64_t j) {
      return sum != nullptr ? to_float(sum[r * k + j]) : added(r, j);
    };
    Normalize<T, kRms> norm{0, 0};
    if constexpr (!kRms) norm.mean = mean_of(wide, exchange);
    const auto square = [&](int64_t j) {
      const float off = wide(j) - norm.mean;
      return off * off;
    };
    norm.inverse = rsqrtf(mean_of(square, exchange) + eps);
    finish_elements<T>(
        [&](int64_t j) {
          return norm(wide(j), to_float(weight[j]), kRms ? 0.0f : to_float(bias[j]));
        },
        r, k, to, exchange);
  }

 private:
  __device__ float added(int64_t r, int64_t j) const {
    const float value = to_float(x[r * k + j]);
    if (delta == nullptr) return value;
    return to_float(from_float<T>(value + to_float(delta[r * k + j])));
  }

  /// The products of RMSNorm in T itself: exact in float32, so rounded once either way.
  __device__ Vec8<T> normed(const Normalize<T, kRms>& norm, const Vec8<T>& held,
                            const Vec8<T>& weights, int64_t j) const {
    float wide[8];
    widen8(held, wide);
    if constexpr (kRms && sizeof(T) == 2) {
#pragma unroll
      for (int i = 0; i < 8; ++i) wide[i] = __fmul_rn(wide[i], norm.inverse);
      Vec8<T> out = narrow8<T>(wide);
#pragma unroll
      for (int i = 0; i < 4; ++i) out.word[i] = multiply2(out.word[i], weights.word[i], T{});
      return out;
    }
    float w[8], b[8] = {};
    widen8(weights, w);
    if constexpr (!kRms) widen8(load8_constant(bias + j), b);
#pragma unroll
    for (int i = 0; i < 8; ++i) wide[i] = norm(wide[i], w[i], b[i]);
    return narrow8<T>(wide);
  }

  template <typename Term>
  __device__ float mean_of(const Term& term, Exchange& exchange) const {
    float own = 0;
    for (int64_t j = threadIdx.x; j < k; j += blockDim.x) own += term(j);
    return row_sum<Elements>(own, exchange) * (1.0f / static_cast<float>(k));
  }

  template <typename C>
  __device__ void add_delta(int64_t r, Vec8<T>* held) const {
    Vec8<T> other[C::kVectors];
    load_row<C>(delta + r * k, k, other);
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) {
      if (C::column(v) < k) held[v] = plus(held[v], other[v]);
    }
  }

  __device__ static Vec8<T> plus(const Vec8<T>& a, const Vec8<T>& b) {
    float left[8], right[8];
    widen8(a, left);
    widen8(b, right);
#pragma unroll
    for (int i = 0; i < 8; ++i) left[i] += right[i];
    return narrow8<T>(left);
  }

  template <typename C>
  __device__ Normalize<T, kRms> statistics(const Vec8<T>* held, Exchange& exchange) const {
    const float part = 1.0f / static_cast<float>(k);
    Normalize<T, kRms> norm{0, 0};
    float squares;
    if constexpr (kRms) {
      squares = row_sum<C>(thread_sum<C, true>(held, 0), exchange);
    } else {
      squares = deviations<C>(held, part, &norm.mean, exchange);
    }
    norm.inverse = rsqrtf(squares * part + eps);
    return norm;
  }

  struct Share {
    float count, mean, squares;  ///< a warp's: squares of deviations from its own mean
  };

  /// The mean, and the sum of squared deviations from it: those of the warps about their own means,
  /// which meet in one exchange (Chan et al. 1979), so no digits cancel.
  template <typename C>
  __device__ float deviations(const Vec8<T>* held, float part, float* mean,
                              Exchange& exchange) const {
    unsigned own = 0;
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) own += C::column(v) < k ? 8 : 0;
    Share share;
    share.count = static_cast<float>(__reduce_add_sync(~0u, own));
    share.mean = __fdividef(warp_sum(thread_sum<C, false>(held, 0)), share.count);
    share.squares = warp_sum(thread_sum<C, true>(held, share.mean));
    *mean = share.mean;
    if constexpr (C::kWarp) return share.squares;
    const Share* of_warp = exchange.all(share);
    float sum = 0, squares = 0;
    for (unsigned i = 0; i < blockDim.x / 32; ++i) sum += of_warp[i].count * of_warp[i].mean;
    *mean = sum * part;
    for (unsigned i = 0; i < blockDim.x / 32; ++i) {
      const float off = of_warp[i].mean - *mean;
      squares += of_warp[i].squares + of_warp[i].count * (off * off);
    }
    return squares;
  }

  template <typename C, bool kSquared>
  __device__ float thread_sum(const Vec8<T>* held, float mean) const {
    float own[2] = {0, 0};
#pragma unroll
    for (int v = 0; v < C::kVectors; ++v) {
      if (C::column(v) >= k) continue;
      float wide[8];
      widen8(held[v], wide);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        const float off = wide[i] - mean;
        own[i % 2] += kSquared ? off * off : off;
      }
    }
    return own[0] + own[1];
  }
};

template <bool kRms>
void norm_rows(const void* x, const void* delta, const void* weight, const void* bias, float eps,
               Dtype type, int64_t rows, int64_t k, void* sum, const RowTarget& to, void* stream) {
  if (rows <= 0 || k <= 0) return;
  bool vectors = takes_vectors(to, k);
  for (const void* p : {x, delta, weight, bias, static_cast<const void*>(sum)}) {
    vectors = vectors && aligned(p, 16);
  }
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    const NormRows<T, kRms> op{static_cast<const T*>(x),
                               static_cast<const T*>(delta),
                               static_cast<const T*>(weight),
                               static_cast<const T*>(bias),
                               eps,
                               k,
                               static_cast<T*>(sum),
                               to};
    launch_rows(op, rows, k, vectors, stream, kRms ? "rms_norm_rows" : "layer_norm_rows");
  });
}

}  // namespace

void rms_norm_rows(const void* x, const void* delta, const void* weight, float eps, Dtype type,
                   int64_t rows, int64_t k, void* sum, const RowTarget& to, void* stream) {
  norm_rows<true>(x, delta, weight, nullptr, eps, type, rows, k, sum, to, stream);
}

void layer_norm_rows(const void* x, const void* delta, const void* weight, const void* bias,
                     float eps, Dtype type, int64_t rows, int64_t k, void* sum, const RowTarget& to,
                     void* stream) {
  norm_rows<false>(x, delta, weight, bias, eps, type, rows, k, sum, to, stream);
}

}  // namespace octet::cuda
