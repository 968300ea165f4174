// INT4 codes and their scales to the layout of w4a16_small_m.
// Packed codes: [n / 16][k / 128][2][32][4] words of 8 codes, n and k padded. Lane l = 4 g + t of
// half h of a block has row g + 8 h; its word u is k = 32 u + 8 t .. + 7 of the block's 128. A code
// + 8 is nibble 4 (i % 2) + i / 2 of its word for its place i, so that one mask takes two
// neighbours. Packed scales: [n / 16][padded k / group][8][2], rows g and g + 8 side by side.
#include "kernels/cuda/gemm/small_m.cuh"
#include "kernels/cuda/vec8.cuh"

namespace octet::cuda {
namespace {

__global__ void pack_qweight_kernel(const int8_t* codes, int64_t n, int64_t k, int64_t words,
                                    uint32_t* packed) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  const int64_t blocks = (k + kBlock - 1) / kBlock;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < words; i += stride) {
    const int64_t unit = i % kUnits, lane = i / kUnits % 32, half = i / (kUnits * 32) % 2;
    const int64_t block = i / (kUnits * 64) % blocks, tile = i / (kUnits * 64) / blocks;
    const int64_t row = tile * kTileColumns + half * 8 + lane / 4;
    const int64_t first = block * kBlock + unit * kUnit + lane % 4 * 8;
    uint32_t word = 0;
    for (int c = 0; c < 8; ++c) {
      const int code = row < n && first + c < k ? codes[row * k + first + c] : 0;
      word |= static_cast<uint32_t>((code + 8) & 15) << nibble(c);
    }
    packed[i] = word;
  }
}

template <typename S>
__global__ void pack_scales_kernel(const float* scale, int64_t n, int64_t groups, int64_t held,
                                   int64_t count, S* packed) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x; i < count; i += stride) {
    const int64_t group = i / kTileColumns % held, tile = i / kTileColumns / held;
    const int64_t row = tile * kTileColumns + i % 2 * 8 + i % kTileColumns / 2;
    packed[i] = from_float<S>(row < n && group < groups ? scale[row * groups + group] : 0.0f);
  }
}

/// Rows `first` on as values; a thread has the four words of a lane.
template <typename T, typename S>
__global__ void unpack_kernel(const uint4* words, const S* scales, int64_t group, int64_t first,
                              int64_t rows, int64_t k, T* out) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  const int64_t blocks = (k + kBlock - 1) / kBlock, groups = (blocks * kBlock + group - 1) / group;
  const int64_t begin = first / kTileColumns * blocks * (2 * 32);
  const int64_t end = (first + rows + kTileColumns - 1) / kTileColumns * blocks * (2 * 32);
  for (int64_t i = begin + blockIdx.x * int64_t{kThreads} + threadIdx.x; i < end; i += stride) {
    const int64_t lane = i % 32, half = i / 32 % 2, block = i / 64 % blocks, tile = i / 64 / blocks;
    const int64_t row = tile * kTileColumns + half * 8 + lane / 4;
    if (row < first || row >= first + rows) continue;
    const uint4 word = words[i];
    const uint32_t parts[kUnits] = {word.x, word.y, word.z, word.w};
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      const int64_t j = block * kBlock + u * kUnit + lane % 4 * 8;
      T* const to = out + (row - first) * k + j;
      float values[8];
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        const int64_t at = ((tile * groups + (j + c) / group) * 8 + lane / 4) * 2 + half;
        values[c] =
            j + c < k ? __fmul_rn(to_float(scales[at]), static_cast<float>(int4_code(parts[u], c)))
                      : 0.0f;
      }
      if (k % 8 == 0) {
        if (j < k) store8(to, narrow8<T>(values));
      } else {
        for (int c = 0; c < 8 && j + c < k; ++c) to[c] = from_float<T>(values[c]);
      }
    }
  }
}

}  // namespace

int64_t packed_w4_bytes(int64_t n, int64_t k) {
  return kTileColumns * kBlock * ceil_div(n, kTileColumns) * ceil_div(k, kBlock) / 2;
}

int64_t packed_w4_scales(int64_t n, int64_t k, int64_t group) {
  return kTileColumns * ceil_div(n, kTileColumns) * ceil_div(kBlock * ceil_div(k, kBlock), group);
}

void pack_w4(const int8_t* codes, const float* scale, int64_t n, int64_t k, int64_t group,
             Dtype scale_type, uint8_t* packed, void* packed_scale, void* stream) {
  if (n <= 0 || k <= 0) return;
  const int64_t words = packed_w4_bytes(n, k) / 4, scales = packed_w4_scales(n, k, group);
  pack_qweight_kernel<<<blocks_for(ceil_div(words, kThreads)), kThreads, 0, as_stream(stream)>>>(
      codes, n, k, words, reinterpret_cast<uint32_t*>(packed));
  with_type(scale_type, [&](auto zero) {
    using S = decltype(zero);
    pack_scales_kernel<<<blocks_for(ceil_div(scales, kThreads)), kThreads, 0, as_stream(stream)>>>(
        scale, n, ceil_div(k, group), ceil_div(kBlock * ceil_div(k, kBlock), group), scales,
        static_cast<S*>(packed_scale));
  });
  check_launch("pack_w4");
}

void unpack_w4(const uint8_t* packed, const void* packed_scale, Dtype scale_type, int64_t group,
               int64_t first, int64_t rows, int64_t k, Dtype type, void* out, void* stream) {
  if (rows <= 0 || k <= 0) return;
  const int64_t lanes = 64 * ceil_div(k, kBlock) * (ceil_div(rows, kTileColumns) + 1);
  const unsigned blocks = blocks_for(ceil_div(lanes, kThreads));
  with_type(type, [&](auto zero) {
    with_type(scale_type, [&](auto scale_zero) {
      using T = decltype(zero);
      using S = decltype(scale_zero);
      unpack_kernel<<<blocks, kThreads, 0, as_stream(stream)>>>(
          reinterpret_cast<const uint4*>(packed), static_cast<const S*>(packed_scale), group, first,
          rows, k, static_cast<T*>(out));
    });
  });
  check_launch("unpack_w4");
}

}  // namespace octet::cuda
