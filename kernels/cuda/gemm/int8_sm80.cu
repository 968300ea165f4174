// W8A8 GEMM on mma.sync, for every card from compute capability 8.0 on (as PTX also for later
// ones): tiles of x and w go through shared memory by cp.async, kStages deep, 64 codes of K at a
// time.
#include "kernels/cuda/common.cuh"
#include "kernels/cuda/gemm/int8_gemm.h"

namespace octet::cuda {
namespace {

constexpr int kDepth = 64;  // codes of K in a stage: one row of a tile is 64 bytes
constexpr int kPiece = 16;  // bytes of a copy
constexpr int kPieces = kDepth / kPiece;
constexpr int kStages = 4;
constexpr int kGroup = 8;  // rows of tiles that blocks go through together, for the L2 cache

// Pieces of a row are permuted so that eight rows' reads of one piece meet all banks.
__device__ int place(int row, int piece) {
  return row * kDepth + (piece ^ (row >> 1 & 3)) * kPiece;
}

__device__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

/// Bytes beyond `valid` arrive as zeros.
__device__ void copy_piece(void* to, const void* from, int valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)),
               "l"(from), "r"(valid));
}

__device__ void load_matrices(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)));
}

__device__ void multiply(int (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// A block computes kM x kN of y with kWarpsM x kWarpsN warps.
template <int kM, int kN, int kWarpsM, int kWarpsN>
struct Tile {
  static constexpr int kThreadCount = 32 * kWarpsM * kWarpsN;
  static constexpr int kStageBytes = (kM + kN) * kDepth;
  static constexpr int kRows = kM / kWarpsM / 16;    // 16-row pieces of a warp
  static constexpr int kColumns = kN / kWarpsN / 8;  // 8-column pieces, an even number
  static_assert(kColumns % 2 == 0);

  template <int kCount>
  static __device__ void load(int8_t* to, const int8_t* from, int64_t first, int64_t rows,
                              int64_t depth, int64_t k) {
    for (int i = threadIdx.x; i < kCount * kPieces; i += kThreadCount) {
      const int row = i / kPieces, piece = i % kPieces;
      const int64_t at = depth + piece * kPiece;
      const bool inside = first + row < rows && at < k;
      copy_piece(to + place(row, piece), from + (inside ? (first + row) * k + at : 0),
                 inside ? kPiece : 0);
    }
  }

  static __device__ void step(const int8_t* x, const int8_t* w, int (&sum)[kRows][kColumns][4]) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row = warp / kWarpsN * (kM / kWarpsM) + lane % 16;
    const int column = warp % kWarpsN * (kN / kWarpsN) + lane % 8 + lane / 16 * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      unsigned a[kRows][4], b[kColumns / 2][4];
#pragma unroll
      for (int i = 0; i < kRows; ++i)
        load_matrices(a[i], x + place(row + 16 * i, 2 * half + lane / 16));
#pragma unroll
      for (int j = 0; j < kColumns / 2; ++j) {
        load_matrices(b[j], w + place(column + 16 * j, 2 * half + lane / 8 % 2));
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j)
          multiply(sum[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
};

template <typename T>
__device__ void store(const Int8Gemm& g, int64_t row, int64_t column, int sum) {
  float v = __fmul_rn(__int2float_rn(sum), g.row_scale[g.per_row ? row : 0]);
  v = __fmul_rn(v, g.col_scale[column]);
  if (g.bias != nullptr) v = __fadd_rn(v, g.bias[column]);
  static_cast<T*>(g.y)[row * g.n + column] = from_float<T>(v);
}

template <typename T, int kM, int kN, int kWarpsM, int kWarpsN>
__global__ void __launch_bounds__(32 * kWarpsM * kWarpsN)
    gemm_kernel(const Int8Gemm g, int64_t across) {
  using Shape = Tile<kM, kN, kWarpsM, kWarpsN>;
  extern __shared__ int8_t stages[];
  const int64_t down = ceil_div(g.m, kM), band = blockIdx.x / (across * kGroup);
  const int64_t in_band = blockIdx.x % (across * kGroup);
  const int64_t tall = down - band * kGroup < kGroup ? down - band * kGroup : kGroup;
  const int64_t m0 = (band * kGroup + in_band % tall) * kM, n0 = in_band / tall * kN;
  const int64_t steps = ceil_div(g.k, kDepth);
  const auto fetch = [&](int64_t step) {
    if (step < steps) {
      int8_t* to = stages + step % kStages * Shape::kStageBytes;
      Shape::template load<kM>(to, g.x, m0, g.m, step * kDepth, g.k);
      Shape::template load<kN>(to + kM * kDepth, g.w, n0, g.n, step * kDepth, g.k);
    }
    asm volatile("cp.async.commit_group;\n");
  };
  int sum[Shape::kRows][Shape::kColumns][4] = {};
  for (int i = 0; i < kStages - 1; ++i) fetch(i);
  for (int64_t step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(kStages - 2));
    __syncthreads();  // this stage has come, and all have read the one that is filled next
    fetch(step + kStages - 1);
    const int8_t* now = stages + step % kStages * Shape::kStageBytes;
    Shape::step(now, now + kM * kDepth, sum);
  }
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t row = m0 + warp / kWarpsN * (kM / kWarpsM) + lane / 4;
  const int64_t column = n0 + warp % kWarpsN * (kN / kWarpsN) + lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < Shape::kRows; ++i) {
#pragma unroll
    for (int j = 0; j < Shape::kColumns; ++j) {
#pragma unroll
      for (int v = 0; v < 4; ++v) {
        const int64_t r = row + 16 * i + v / 2 * 8, c = column + 8 * j + v % 2;
        if (r < g.m && c < g.n) store<T>(g, r, c, sum[i][j][v]);
      }
    }
  }
}

template <int kM, int kN, int kWarpsM, int kWarpsN>
bool run(const Int8Gemm& g, int, void*, bool, void* stream) {
  const int64_t across = ceil_div(g.n, kN), blocks = ceil_div(g.m, kM) * across;
  if (g.k % kPiece != 0 || blocks >= int64_t{1} << 31) return false;
  constexpr int kBytes = kStages * Tile<kM, kN, kWarpsM, kWarpsN>::kStageBytes;
  const auto launch = [&](auto zero) {
    using T = decltype(zero);
    const auto kernel = gemm_kernel<T, kM, kN, kWarpsM, kWarpsN>;
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
    kernel<<<static_cast<unsigned>(blocks), 32 * kWarpsM * kWarpsN, kBytes, as_stream(stream)>>>(
        g, across);
  };
  with_type(g.type, launch);
  check_launch("int8 gemm of sm80");
  return true;
}

}  // namespace

std::vector<Int8TileConfig> sm80_tile_configs() {
  return {{"sm80 128x128x64", 80, 999, Int8TileConfig::kNone, &no_workspace, &run<128, 128, 2, 4>},
          {"sm80 64x128x64", 80, 999, Int8TileConfig::kNone, &no_workspace, &run<64, 128, 2, 4>},
          {"sm80 64x64x64", 80, 999, Int8TileConfig::kNone, &no_workspace, &run<64, 64, 2, 2>},
          {"sm80 32x64x64", 80, 999, Int8TileConfig::kNone, &no_workspace, &run<32, 64, 1, 4>}};
}

}  // namespace octet::cuda
