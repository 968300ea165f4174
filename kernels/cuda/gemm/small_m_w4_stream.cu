// INT4 weights and 16-bit activations of up to 16 rows on Hopper, where few or long tiles of
// weights leave a block much to read: each of its warps brings its own part of the tile through a
// ring in shared memory, which holds more on its way than registers do.
#include "kernels/cuda/barrier.cuh"
#include "kernels/cuda/gemm/small_m_w4.cuh"

namespace octet::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kBlocks = 2;                    // of threads, on a processor
constexpr int kTurn = 2;                      // blocks of 128 k that a warp takes at its turn
constexpr int kDepth = 4;                     // turns of a warp that are on their way
constexpr int kCodeBytes = kBlockLoads * 16;  // of a block of k of a tile

/// Packed weights. A turn's place in the ring: its blocks of codes, then their scales.
template <typename S>
struct Packed {
  const uint8_t* codes;
  const S* scales;
  int blocks, groups;  // of a tile
  int shift;           // a group is 32 << shift
  int place;           // bytes

  __device__ int group_of(int unit) const { return unit >> shift; }
};

/// A warp's turns of the block's tile: each kWarps-th.
template <typename S>
class Ring {
 public:
  /// `memory`: kDepth places; `full`: as many barriers.
  __device__ Ring(const Packed<S>& w, uint8_t* memory, uint64_t* full)
      : w_(w), memory_(memory), full_(full) {}

  /// One lane: makes the barriers and brings the first turns.
  __device__ void begin() {
    for (int i = 0; i < kDepth; ++i) barrier_init(full_ + i, 1);
    fence_barriers();
    for (int i = 0; i < kDepth; ++i) bring(i);
  }
  /// Where the turn at hand lies, once it does.
  __device__ const uint8_t* wait() const {
    barrier_wait(full_ + slot_, parity_);
    return memory_ + slot_ * w_.place;
  }
  /// The whole warp, which has read the turn at hand.
  __device__ void advance() {
    __syncwarp();
    if (threadIdx.x % 32 == 0) bring(slot_);
    if (++slot_ == kDepth) slot_ = 0, parity_ ^= 1;
  }

 private:
  __device__ void bring(int slot) {
    const int first = ahead_ * kTurn, count = min(kTurn, w_.blocks - first);
    if (count <= 0) return;
    const int group = w_.group_of(first * kUnits);
    const int groups = w_.group_of((first + count) * kUnits - 1) + 1 - group;
    const uint32_t codes = count * kCodeBytes;
    const uint32_t scales = groups * kTileColumns * static_cast<int>(sizeof(S));
    const int64_t tile = blockIdx.x;
    uint8_t* const to = memory_ + slot * w_.place;
    uint64_t* const full = full_ + slot;
    barrier_expect(full, codes + scales);
    copy_bulk(to, w_.codes + (tile * w_.blocks + first) * kCodeBytes, codes, full, policy_);
    copy_bulk(to + kTurn * kCodeBytes, w_.scales + (tile * w_.groups + group) * kTileColumns,
              scales, full, policy_);
    ahead_ += kWarps;
  }

  const Packed<S>& w_;
  uint8_t* memory_;
  uint64_t* full_;
  int slot_ = 0, parity_ = 0, ahead_ = static_cast<int>(threadIdx.x) / 32;
  uint64_t policy_ = read_once_policy();
};

/// Adds scale * (codes * b) of kEach units that share their scales to the sums of a tile.
template <typename T, typename S, int kEach, int kTiles>
__device__ inline void multiply_units(const uint32_t* tops, const uint32_t* lows,
                                      const Pair<S>& scales, const uint4 (*b)[kTiles],
                                      float (&acc)[kTiles][4]) {
  float sums[2][kTiles][4] = {};
#pragma unroll
  for (int u = 0; u < kEach; ++u) {
    uint32_t a[2][4];
    fragments<T>(tops[u], lows[u], a);
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      mma_float<T>(sums[0][j], a[0], b[u][j].x, b[u][j].y);
      mma_float<T>(sums[1][j], a[1], b[u][j].z, b[u][j].w);
    }
  }
  const float top = scales.top(), low = scales.low();
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      acc[j][c] = fmaf(c < 2 ? top : low, sums[0][j][c] + sums[1][j][c], acc[j][c]);
    }
  }
}

/// Activations [m, k] of type T.
template <typename T>
struct Tokens {
  const T* x;
  int64_t m, k;
};

/// Adds the products of the turn at hand to the sums of the tile. kEach neighbouring units share
/// their scales; kFull: the turn has all its blocks. Activations are read a block ahead.
template <int kEach, bool kFull, typename T, typename S, int kTiles>
__device__ inline void multiply_turn(const Tokens<T>& tokens, const Packed<S>& w,
                                     const Ring<S>& ring, int turn, float (&acc)[kTiles][4]) {
  const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, first = turn * kTurn;
  const int64_t at = int64_t{first} * kBlock + 8 * t;
  const int left = left_from(at, tokens.k);
  uint4 b[2][kUnits][kTiles];
  const auto load = [&](int i) {
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const int place = i * kBlock + u * kUnit;
      load_tokens(tokens.x + g * tokens.k + at, tokens.m, tokens.k, place, place < left,
                  b[i % 2][u]);
    }
  };
  load(0);
  const uint8_t* const place = ring.wait();
  const auto* const scales = reinterpret_cast<const Pair<S>*>(place + kTurn * kCodeBytes) + g;
#pragma unroll
  for (int i = 0; i < kTurn; ++i) {
    if (!kFull && first + i >= w.blocks) break;
    if (i + 1 < kTurn) load(i + 1);
    const auto* const codes = reinterpret_cast<const uint4*>(place + i * kCodeBytes) + lane;
    const uint4 top = codes[0], low = codes[32];
    const uint32_t tops[] = {top.x, top.y, top.z, top.w}, lows[] = {low.x, low.y, low.z, low.w};
#pragma unroll
    for (int u = 0; u < kUnits; u += kEach) {
      const int group = w.group_of((first + i) * kUnits + u) - w.group_of(first * kUnits);
      multiply_units<T, S, kEach>(tops + u, lows + u, scales[group * 8], b[i % 2] + u, acc);
    }
  }
}

template <int kEach, int kTiles, typename T, typename S>
__global__ void __launch_bounds__(32 * kWarps, kBlocks)
    w4_stream_kernel(const __grid_constant__ Tokens<T> tokens, const __grid_constant__ Packed<S> w,
                     const __grid_constant__ Output out) {
  extern __shared__ uint4 shared_places[];
  auto* const places = reinterpret_cast<uint8_t*>(shared_places);
  auto* const full = reinterpret_cast<uint64_t*>(places + kWarps * kDepth * w.place);
  const int warp = threadIdx.x / 32;
  Ring<S> ring(w, places + warp * kDepth * w.place, full + warp * kDepth);
  if (threadIdx.x % 32 == 0) ring.begin();
  __syncwarp();
  wait_for_predecessor();
  float acc[1][kTiles][4] = {};
  for (int turn = warp; turn * kTurn < w.blocks; turn += kWarps) {
    if ((turn + 1) * kTurn <= w.blocks) {
      multiply_turn<kEach, true>(tokens, w, ring, turn, acc[0]);
    } else {
      multiply_turn<kEach, false>(tokens, w, ring, turn, acc[0]);
    }
    ring.advance();
  }
  __syncthreads();  // the ring's memory is free
  add_and_write(acc, int64_t{blockIdx.x} * kTileColumns, out);
}

template <int kEach, int kTiles, typename T, typename S>
void launch_tiles(const Tokens<T>& tokens, Packed<S> w, const Output& out, void* stream,
                  bool overlap) {
  w.place = kTurn * (kCodeBytes + kUnits / kEach * kTileColumns * static_cast<int>(sizeof(S)));
  const int shared = kWarps * kDepth * (w.place + static_cast<int>(sizeof(uint64_t)));
  static_assert(kDepth * kTurn * kCodeBytes >= 4 * kTileTokens * (kTileColumns + 4));
  const auto kernel = w4_stream_kernel<kEach, kTiles, T, S>;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  launch(kernel, dim3(static_cast<unsigned>(ceil_div(out.n, kTileColumns))), dim3(32 * kWarps),
         shared, overlap, stream, tokens, w, out);
}

template <int kEach, typename T, typename S>
void launch_each(const Tokens<T>& tokens, const Packed<S>& w, const Output& out, void* stream,
                 bool overlap) {
  if (out.m <= kTileTokens) return launch_tiles<kEach, 1>(tokens, w, out, stream, overlap);
  launch_tiles<kEach, 2>(tokens, w, out, stream, overlap);
}

}  // namespace

template <typename T, typename S>
void launch_w4_stream(const T* x, const uint8_t* packed, const S* scales, int shift, int64_t k,
                      const Output& out, void* stream, bool overlap) {
  const int64_t blocks = ceil_div(k, kBlock);
  const int64_t groups = ceil_div(kBlock * blocks, int64_t{kUnit} << shift);
  const Packed<S> w{packed, scales, static_cast<int>(blocks), static_cast<int>(groups), shift, 0};
  const Tokens<T> tokens{x, out.m, k};
  if (shift == 0) return launch_each<1>(tokens, w, out, stream, overlap);
  if (shift == 1) return launch_each<2>(tokens, w, out, stream, overlap);
  launch_each<4>(tokens, w, out, stream, overlap);
}

#define OCTET_W4_STREAM(T, S)                                                                     \
  template void launch_w4_stream(const T*, const uint8_t*, const S*, int, int64_t, const Output&, \
                                 void*, bool);
OCTET_W4_STREAM(__half, __half)
OCTET_W4_STREAM(__half, float)
OCTET_W4_STREAM(__nv_bfloat16, __nv_bfloat16)
OCTET_W4_STREAM(__nv_bfloat16, float)

}  // namespace octet::cuda
