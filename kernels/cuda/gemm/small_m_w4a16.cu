// INT4 weights and 16-bit float activations, few rows. Layout: small_m_pack.cu.
#include "kernels/cuda/gemm/small_m_w4.cuh"

namespace octet::cuda {
namespace {

template <typename S>
__device__ Pair<S> load_pair(const Pair<S>* p) {
  Pair<S> v;
  if constexpr (std::is_same_v<S, float>) {
    v.values = __ldg(&p->values);
  } else {
    v.bits = __ldg(&p->bits);
  }
  return v;
}

/// What a lane loads of a block of 128 k of one tile.
template <typename S>
struct Loaded {
  uint4 codes[2];  // rows g and g + 8
  Pair<S> scales[kUnits];
  __device__ uint32_t word(int half, int unit) const {
    const uint4& v = codes[half];
    return unit == 0 ? v.x : unit == 1 ? v.y : unit == 2 ? v.z : v.w;
  }
};

/// Adds scale * (codes * b) of a unit to the sums of a tile of weights.
template <typename T, typename S, int kTiles>
__device__ void multiply_unit(const Loaded<S>& w, int unit, const uint4 (&b)[kTiles],
                              float (&acc)[kTiles][4]) {
  uint32_t a[2][4];
  fragments<T>(w.word(0, unit), w.word(1, unit), a);
  const float top = w.scales[unit].top(), low = w.scales[unit].low();
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
    float sum[4] = {};
    mma_float<T>(sum, a[0], b[j].x, b[j].y);
    mma_float<T>(sum, a[1], b[j].z, b[j].w);
#pragma unroll
    for (int c = 0; c < 4; ++c) acc[j][c] = fmaf(c < 2 ? top : low, sum[c], acc[j][c]);
  }
}

/// Packed weights as a lane sees them.
template <typename S>
struct Weights {
  const uint4* codes;
  const Pair<S>* scales;
  int64_t blocks, groups;
  int shift;  // a group is 32 << shift
};

/// Blocks of 128 k a warp has in flight, 1 KiB each (and scales), times the tiles of weights.
template <typename Shape>
constexpr int kW4Steps = Shape::kM == 2 ? 2 : 4;

/// One tile's `block`, whose codes lie at `codes`; zeros past the end.
template <typename S>
__device__ Loaded<S> load_block(const Weights<S>& weights, const uint4* codes,
                                const Pair<S>* scales, int64_t block) {
  Loaded<S> v = {};
  if (block >= weights.blocks) return v;
  v.codes[0] = load_once(codes);
  v.codes[1] = load_once(codes + 32);
  // A block's first unit is a multiple of 4: (first + u) >> shift is the sum of both shifted.
  scales += (block * kUnits >> weights.shift) * 8;
#pragma unroll
  for (int u = 0; u < kUnits; ++u) v.scales[u] = load_pair<S>(scales + (u >> weights.shift) * 8);
  return v;
}

template <typename T, typename S, typename Shape>
__global__ void __launch_bounds__(32 * kMostWarps, Shape::kTiles <= 2 ? 2 : 1)
    w4_small_m_kernel(const T* x, Weights<S> weights, int64_t k, Output out) {
  constexpr int kM = Shape::kM, kTiles = Shape::kTiles, kSteps = kW4Steps<Shape>;
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
  const int64_t last_tile = (out.n - 1) / kTileColumns;
  const int64_t round = int64_t{blockDim.x} / 32 * kSteps;  // blocks that all warps take in turn
  int64_t begin = threadIdx.x / 32 * kSteps;
  const uint4* codes[kM];
  const Pair<S>* scales[kM];
#pragma unroll
  for (int i = 0; i < kM; ++i) {
    int64_t tile =
        int64_t{blockIdx.x} * kM + i;  // past n: the last again, its sums are not written
    tile = tile < last_tile ? tile : last_tile;
    codes[i] = weights.codes + (tile * weights.blocks + begin) * kBlockLoads + lane;
    scales[i] = weights.scales + tile * weights.groups * 8 + g;
  }
  Loaded<S> loaded[kSteps][kM];
  const auto load = [&](int s, int64_t from) {
#pragma unroll
    for (int i = 0; i < kM; ++i) {
      loaded[s][i] = load_block(weights, codes[i] + s * kBlockLoads, scales[i], from + s);
    }
  };
#pragma unroll
  for (int s = 0; s < kSteps; ++s) load(s, begin);
  wait_for_predecessor();
  float acc[kM][kTiles][4] = {};
#pragma unroll 1
  for (; begin < weights.blocks; begin += round) {
    const int64_t at = begin * kBlock + 8 * t;
    const int left = left_from(at, k);
#pragma unroll
    for (int i = 0; i < kM; ++i) codes[i] += round * kBlockLoads;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
#pragma unroll
      for (int u = 0; u < kUnits; ++u) {
        const int place = s * kBlock + u * kUnit;
        uint4 b[kTiles];
        load_tokens(x + g * k + at, out.m, k, place, place < left, b);
#pragma unroll
        for (int i = 0; i < kM; ++i) multiply_unit<T>(loaded[s][i], u, b, acc[i]);
      }
      load(s, begin + round);
    }
  }
  add_and_write(acc, int64_t{blockIdx.x} * (kTileColumns * kM), out);
}

/// Any type, k, group and alignment: a warp an element of y.
template <typename T, typename S>
__global__ void w4_plain_kernel(const T* x, const uint32_t* words, const S* scales, int64_t group,
                                int64_t k, Output out) {
  wait_for_predecessor();
  const int lane = threadIdx.x % 32;
  const int64_t warps = int64_t{gridDim.x} * (kThreads / 32);
  const int64_t blocks = (k + kBlock - 1) / kBlock;
  const int64_t groups = (blocks * kBlock + group - 1) / group;
  for (int64_t i = blockIdx.x * int64_t{kThreads / 32} + threadIdx.x / 32; i < out.m * out.n;
       i += warps) {
    const int64_t token = i / out.n, column = i % out.n;
    const int64_t tile = column / kTileColumns, g = column % 8, half = column / 8 % 2;
    float sum = 0;
    for (int64_t j = lane; j < k; j += 32) {
      const int64_t in = j % kBlock;
      const int64_t word = ((tile * blocks + j / kBlock) * 2 + half) * 32 + g * 4 + in % kUnit / 8;
      const int code = int4_code(words[word * kUnits + in / kUnit], in % 8);
      const float scale = to_float(scales[((tile * groups + j / group) * 8 + g) * 2 + half]);
      sum = fmaf(__fmul_rn(scale, static_cast<float>(code)), to_float(x[token * k + j]), sum);
    }
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    if (lane == 0) write(out, token, column, sum);
  }
}

/// group / 32 as a power of two, or -1.
int shift_of(int64_t group) {
  for (int shift = 0; shift < 32; ++shift) {
    if (group == int64_t{kUnit} << shift) return shift;
  }
  return -1;
}

/// Whether blocks of two tiles of weights are so few, or each so long, that a processor with one of
/// them does not keep memory busy (measured on an H100).
bool has_few_pairs(int64_t n, int64_t k) {
  constexpr int64_t kLong = 8192;
  const int64_t pairs = ceil_div(n, 2 * kTileColumns);
  const int64_t processors = device_attribute(cudaDevAttrMultiProcessorCount);
  return 2 * pairs <= processors || (pairs <= processors && k >= kLong);
}

template <typename T, typename S>
void launch_w4(const T* x, const uint8_t* packed, const S* scales, int64_t group, int64_t k,
               const Output& out, void* stream, bool overlap) {
  const int shift = shift_of(group);
  const int64_t blocks = ceil_div(k, kBlock);
  if constexpr (!std::is_same_v<T, float>) {
    if (shift >= 0 && k % kUnit == 0 && aligned(x, 16) && aligned(packed, 16) &&
        aligned(scales, 16)) {
      const bool few = has_few_pairs(out.n, k);
      if (few && out.m <= kStreamRows && can_overlap()) {
        return launch_w4_stream(x, packed, scales, shift, k, out, stream, overlap);
      }
      const Weights<S> weights{reinterpret_cast<const uint4*>(packed),
                               reinterpret_cast<const Pair<S>*>(scales), blocks,
                               ceil_div(kBlock * blocks, group), shift};
      const bool far = out.m * k * static_cast<int64_t>(sizeof(T)) > kNearBytes;
      return with_shape(out.m, far || !few, [&](auto shape) {
        using Sh = decltype(shape);
        launch_small_m<Sh>(w4_small_m_kernel<T, S, Sh>, out.n, ceil_div(blocks, kW4Steps<Sh>),
                           overlap, stream, x, weights, k, out);
      });
    }
  }
  w4_plain_kernel<<<blocks_for(ceil_div(out.m * out.n, kThreads / 32)), kThreads, 0,
                    as_stream(stream)>>>(x, reinterpret_cast<const uint32_t*>(packed), scales,
                                         group, k, out);
}

}  // namespace

void w4a16_small_m(const void* x, const uint8_t* packed, const void* packed_scale, Dtype scale_type,
                   int64_t group, const void* bias, Dtype type, int64_t m, int64_t n, int64_t k,
                   void* y, void* stream, bool overlap) {
  refuse_many_rows("w4a16_small_m", m);
  if (scale_type != Dtype::kF32 && scale_type != type) {
    throw Error("w4a16_small_m with scales of another 16-bit type than its activations",
                "scales as float32 or in the activations' type", "pack them so");
  }
  if (m <= 0 || n <= 0) return;
  const Output out{nullptr, false, nullptr, bias, type, m, n, y};
  with_type(type, [&](auto zero) {
    using T = decltype(zero);
    if (scale_type == Dtype::kF32) {
      launch_w4(static_cast<const T*>(x), packed, static_cast<const float*>(packed_scale), group, k,
                out, stream, overlap);
    } else if constexpr (!std::is_same_v<T, float>) {
      launch_w4(static_cast<const T*>(x), packed, static_cast<const T*>(packed_scale), group, k,
                out, stream, overlap);
    }
  });
  check_launch("w4a16_small_m");
}

}  // namespace octet::cuda
