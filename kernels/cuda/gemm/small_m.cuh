// Shared by the kernels for few rows. Weights are the A operand of mma.sync (16 of their rows, the
// columns of y), activations the B operand (8 tokens). A lane is g * 4 + t: it holds rows g and g +
// 8 of a tile of weights, token g of a tile of tokens, and of both the same 16 bytes' worth of k
// chosen by t: the order of k inside a product is free as long as the operands agree. The warps of
// a block take turns along k and add their sums through shared memory in the order of the warps.
#pragma once
#include "kernels/cuda/common.cuh"
#include "kernels/cuda/gemm/small_m.h"

namespace octet::cuda {

constexpr int kTileColumns = 16;
constexpr int kTileTokens = 8;
constexpr int kMostWarps = 8;

/// INT4 layout (small_m_pack.cu): k of a block, of a scaled sum, and 16-byte loads of a tile's
/// block.
constexpr int kBlock = 128;
constexpr int kUnit = 32;
constexpr int kUnits = kBlock / kUnit;
constexpr int kBlockLoads = kTileColumns * kBlock / 32;
/// The bit at which the code of `place`, 0 to 7, begins in its word.
__host__ __device__ constexpr int nibble(int64_t place) {
  return static_cast<int>(4 * (place % 2 * 4 + place / 2));
}
/// A word's code of `place`: code + 8 is stored.
__device__ inline int int4_code(uint32_t word, int64_t place) {
  return static_cast<int>(word >> nibble(place) & 15) - 8;
}

/// v = sum * row_scale * col_scale + bias, each that is not null; y [m, n] of type `type`.
struct Output {
  const float* row_scale;
  bool per_row;
  const float* col_scale;
  const void* bias;
  Dtype type;
  int64_t m, n;
  void* y;
};

__device__ inline float element(const void* data, Dtype type, int64_t i) {
  if (type == Dtype::kF32) return static_cast<const float*>(data)[i];
  if (type == Dtype::kF16) return to_float(static_cast<const __half*>(data)[i]);
  return to_float(static_cast<const __nv_bfloat16*>(data)[i]);
}

/// Products and sum are rounded one by one, as by dequantize().
__device__ inline void write(const Output& out, int64_t token, int64_t column, float v) {
  if (out.row_scale != nullptr) v = __fmul_rn(v, out.row_scale[out.per_row ? token : 0]);
  if (out.col_scale != nullptr) v = __fmul_rn(v, out.col_scale[column]);
  if (out.bias != nullptr) v = __fadd_rn(v, element(out.bias, out.type, column));
  const int64_t i = token * out.n + column;
  if (out.type == Dtype::kF32) {
    static_cast<float*>(out.y)[i] = v;
  } else if (out.type == Dtype::kF16) {
    static_cast<__half*>(out.y)[i] = from_float<__half>(v);
  } else {
    static_cast<__nv_bfloat16*>(out.y)[i] = from_float<__nv_bfloat16>(v);
  }
}

/// Weights are read once: they pass L1 by, which is left to the activations.
__device__ inline uint4 load_once(const void* p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}

__device__ inline void mma_int8(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

template <typename T>
__device__ inline void mma_float(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (std::is_same_v<T, __half>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

/// Activations of kTiles tiles of tokens, 16 bytes a lane at element `at` of each row; zero for
/// tokens past m and where !inside.
template <typename X, int kTiles>
__device__ inline void load_tokens(const X* token, int64_t m, int64_t k, int64_t at, bool inside,
                                   uint4 (&b)[kTiles]) {
  const int g = threadIdx.x % 32 / 4;
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
    b[j] = make_uint4(0, 0, 0, 0);
    if (inside && kTileTokens * j + g < m) {
      b[j] = *reinterpret_cast<const uint4*>(token + kTileTokens * j * k + at);
    }
  }
}

/// Adds the warps' sums and writes y from column `first` on. acc[i][j][c] is column 16 i + g (+ 8
/// for c >= 2) of token 8 j + 2 t + c % 2. Shared memory: 8 rows of tokens a warp, padded by 4
/// words, so that the writes of a warp hit all banks.
template <typename Acc, int kM, int kTiles>
__device__ inline void add_and_write(const Acc (&acc)[kM][kTiles][4], int64_t first,
                                     const Output& out) {
  extern __shared__ uint32_t shared_words[];
  constexpr int kColumns = kTileColumns * kM;
  constexpr int kRow = kColumns + 4;
  Acc* const sums = reinterpret_cast<Acc*>(shared_words);
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  const int warps = blockDim.x / 32;
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
    if (kTileTokens * j >= out.m) break;
    if (j > 0) __syncthreads();  // the last tile's readers are done
#pragma unroll
    for (int i = 0; i < kM; ++i) {
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int token = 2 * t + c % 2, column = kTileColumns * i + g + c / 2 * 8;
        sums[(warp * kTileTokens + token) * kRow + column] = acc[i][j][c];
      }
    }
    __syncthreads();
    for (int e = threadIdx.x; e < kTileTokens * kColumns; e += blockDim.x) {
      const int row = e / kColumns, column = e % kColumns;
      const int64_t token = kTileTokens * j + row;
      if (token >= out.m || first + column >= out.n) continue;
      Acc sum = sums[row * kRow + column];
      for (int w = 1; w < warps; ++w) sum += sums[(w * kTileTokens + row) * kRow + column];
      write(out, token, first + column, static_cast<float>(sum));
    }
  }
}

/// Tiles of weights and of tokens a block has.
template <int kTilesOfWeights, int kTilesOfTokens>
struct Shape {
  static constexpr int kM = kTilesOfWeights;
  static constexpr int kTiles = kTilesOfTokens;
};

/// Activations of more bytes are not kept by L1 but read from L2 once a block.
constexpr int64_t kNearBytes = 96 << 10;

/// call(Shape<...>{}) for m rows; pairs: two tiles of weights share what is read of activations.
template <typename Call>
void with_shape(int64_t m, bool pairs, const Call& call) {
  if (m <= 8) return pairs ? call(Shape<2, 1>{}) : call(Shape<1, 1>{});
  if (m <= 16) return pairs ? call(Shape<2, 2>{}) : call(Shape<1, 2>{});
  if (m <= 32) return call(Shape<2, 4>{});
  return call(Shape<2, 8>{});
}

void refuse_many_rows(const char* what, int64_t m);

/// Blocks of 4 to 16 warps: enough of them that each SM has about 24 warps, each with two or more
/// of the `turns` along k.
int small_m_warps(int64_t blocks, int64_t turns);

/// Launches kernel(args...) with the shared memory of add_and_write().
template <typename Shape, typename... Params, typename... Args>
void launch_small_m(void (*kernel)(Params...), int64_t n, int64_t turns, bool overlap, void* stream,
                    Args... args) {
  constexpr int kColumns = kTileColumns * Shape::kM;
  const int64_t blocks = ceil_div(n, kColumns);
  const int warps = small_m_warps(blocks, turns);
  const size_t shared = sizeof(float) * warps * kTileTokens * (kColumns + 4);
  launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(32 * warps)),
         shared, overlap, stream, args...);
}

/// 64-byte steps of the rows a warp has in flight: 1 KiB each, times the tiles of weights.
template <typename Shape>
constexpr int kW8Steps = Shape::kTiles <= 2 ? 4 : 2;

/// Elements from `at` on to the end, for comparisons in one instruction.
__device__ inline int left_from(int64_t at, int64_t end) {
  return static_cast<int>(end - at < 1 << 20 ? end - at : 1 << 20);
}

/// INT8 weights [n, k], k % 16 == 0. Op says how 16 bytes of activations meet their codes: X their
/// type, Acc the sums', kPieces the 16-byte pieces of activations for a lane's 16 codes,
/// fragments() the A operands of the two products of a piece, mma() a product. A step is 64 bytes
/// of a row, 16 a lane; a warp takes kW8Steps neighbouring ones at its turn.
template <typename Op, typename Shape>
__global__ void __launch_bounds__(32 * kMostWarps, Shape::kM* Shape::kTiles == 1 ? 3
                                                   : Shape::kTiles <= 4          ? 2
                                                                                 : 1)
    w8_small_m_kernel(const typename Op::X* x, const int8_t* w, int64_t k, Output out) {
  constexpr int kM = Shape::kM, kTiles = Shape::kTiles, kSteps = kW8Steps<Shape>;
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  const int64_t first = int64_t{blockIdx.x} * (kTileColumns * kM);
  const int64_t round = int64_t{blockDim.x} * (2 * kSteps);  // what all warps take in turn
  int64_t begin = warp * (64 * kSteps);
  const int8_t* rows[2 * kM];  // g and g + 8 of each tile, at this lane's next load
#pragma unroll
  for (int i = 0; i < 2 * kM; ++i) {
    const int64_t row = first + 8 * i + g;  // past n: the last row again, its sums are not written
    rows[i] = w + (row < out.n ? row : out.n - 1) * k + begin + 16 * t;
  }
  uint4 codes[kSteps][2 * kM];
  const auto load = [&](int s, int left) {
#pragma unroll
    for (int i = 0; i < 2 * kM; ++i) {
      codes[s][i] = 64 * s < left ? load_once(rows[i] + 64 * s) : make_uint4(0, 0, 0, 0);
    }
  };
#pragma unroll
  for (int s = 0; s < kSteps; ++s) load(s, left_from(begin + 16 * t, k));
  wait_for_predecessor();
  typename Op::Acc acc[kM][kTiles][4] = {};
#pragma unroll 1
  for (; begin < k; begin += round) {
    const int left = left_from(begin + 16 * t, k);
    const int left_then = left_from(begin + round + 16 * t, k);
#pragma unroll
    for (int i = 0; i < 2 * kM; ++i) rows[i] += round;
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
#pragma unroll
      for (int p = 0; p < Op::kPieces; ++p) {
        uint4 b[kTiles];
        load_tokens(x + g * k + begin + 16 * t, out.m, k, 64 * s + 16 / Op::kPieces * p,
                    64 * s < left, b);
#pragma unroll
        for (int i = 0; i < kM; ++i) {
          uint32_t a[2][4];
          Op::fragments(codes[s][2 * i], codes[s][2 * i + 1], p, a);
#pragma unroll
          for (int j = 0; j < kTiles; ++j) {
            Op::mma(acc[i][j], a[0], b[j].x, b[j].y);
            Op::mma(acc[i][j], a[1], b[j].z, b[j].w);
          }
        }
      }
      load(s, left_then);
    }
  }
  add_and_write(acc, first, out);
}

}  // namespace octet::cuda
