// Block layouts and their dequantization, as ggml-common.h and ggml-quants.c of ggml-org/ggml.
#include <fmt/format.h>

#include <cstring>

#include "core/containers/gguf.h"
#include "core/dtype.h"
#include "core/error.h"

namespace octet {
namespace {

float half_at(const std::byte* at) {
  uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return half_to_float(bits);
}

const uint8_t* bytes_at(const std::byte* at) {
  return reinterpret_cast<const uint8_t*>(at);
}

// fp16 d, 16 bytes: low nibbles are weights 0..15, high nibbles 16..31.
void q4_0(const std::byte* block, float* __restrict out) {
  const float d = half_at(block);
  const uint8_t* q = bytes_at(block + 2);
  for (int i = 0; i < 16; ++i) out[i] = static_cast<float>((q[i] & 15) - 8) * d;
  for (int i = 0; i < 16; ++i) out[i + 16] = static_cast<float>((q[i] >> 4) - 8) * d;
}

// fp16 d, fp16 minimum, nibbles as above.
void q4_1(const std::byte* block, float* __restrict out) {
  const float d = half_at(block), m = half_at(block + 2);
  const uint8_t* q = bytes_at(block + 4);
  for (int i = 0; i < 16; ++i) out[i] = static_cast<float>(q[i] & 15) * d + m;
  for (int i = 0; i < 16; ++i) out[i + 16] = static_cast<float>(q[i] >> 4) * d + m;
}

// fp16 d, int8[32].
void q8_0(const std::byte* block, float* __restrict out) {
  const float d = half_at(block);
  const auto* q = reinterpret_cast<const int8_t*>(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = static_cast<float>(q[i]) * d;
}

struct ScaleMin {
  float scale, min;
};

// The j-th of eight 6-bit (scale, min) pairs packed in 12 bytes.
ScaleMin scale_min(const uint8_t* packed, int j) {
  if (j < 4) {
    return {static_cast<float>(packed[j] & 63), static_cast<float>(packed[j + 4] & 63)};
  }
  return {static_cast<float>((packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4)),
          static_cast<float>((packed[j + 4] >> 4) | (packed[j] >> 6 << 4))};
}

// fp16 d, fp16 dmin, 12 bytes of scales, 128 bytes of nibbles: 8 sub-blocks of 32 weights.
void q4_k(const std::byte* block, float* __restrict out) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const uint8_t* scales = bytes_at(block + 4);
  const uint8_t* q = bytes_at(block + 16);
  for (int pair = 0; pair < 4; ++pair, q += 32, out += 64) {
    const ScaleMin low = scale_min(scales, 2 * pair), high = scale_min(scales, 2 * pair + 1);
    const float d1 = d * low.scale, m1 = dmin * low.min;
    const float d2 = d * high.scale, m2 = dmin * high.min;
    for (int i = 0; i < 32; ++i) out[i] = d1 * static_cast<float>(q[i] & 15) - m1;
    for (int i = 0; i < 32; ++i) out[i + 32] = d2 * static_cast<float>(q[i] >> 4) - m2;
  }
}

// 128 bytes of low nibbles, 64 bytes of upper bit pairs, int8 scales[16], fp16 d.
void q6_k(const std::byte* block, float* __restrict out) {
  const uint8_t* low = bytes_at(block);
  const uint8_t* high = bytes_at(block + 128);
  const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
  const float d = half_at(block + 208);
  for (int half = 0; half < 2; ++half, low += 64, high += 32, scales += 8, out += 128) {
    for (int part = 0; part < 4; ++part) {
      const uint8_t* nibbles = low + 32 * (part & 1);
      const int shift = part < 2 ? 0 : 4;
      for (int i = 0; i < 32; ++i) {
        const int q = ((nibbles[i] >> shift) & 15) | (((high[i] >> (2 * part)) & 3) << 4);
        const int sub_block = 2 * part + i / 16;
        const float scale = d * static_cast<float>(scales[sub_block]);
        out[32 * part + i] = scale * static_cast<float>(q - 32);
      }
    }
  }
}

void f16(const std::byte* block, float* out) {
  *out = half_at(block);
}

void bf16(const std::byte* block, float* out) {
  uint16_t bits = 0;
  std::memcpy(&bits, block, 2);
  *out = bfloat16_to_float(bits);
}

template <void (*kDecode)(const std::byte*, float*), int kBytes, int kBlock>
void decode(const std::byte* in, float* out, int64_t blocks) {
  for (int64_t i = 0; i < blocks; ++i) kDecode(in + i * kBytes, out + i * kBlock);
}

}  // namespace

GgmlTypeTraits traits(GgmlType type) {
  switch (type) {
    case GgmlType::kF32:
      return {"F32", 1, 4};
    case GgmlType::kF16:
      return {"F16", 1, 2};
    case GgmlType::kQ4_0:
      return {"Q4_0", 32, 18};
    case GgmlType::kQ4_1:
      return {"Q4_1", 32, 20};
    case GgmlType::kQ8_0:
      return {"Q8_0", 32, 34};
    case GgmlType::kQ4_K:
      return {"Q4_K", 256, 144};
    case GgmlType::kQ6_K:
      return {"Q6_K", 256, 210};
    case GgmlType::kBF16:
      return {"BF16", 1, 2};
  }
  throw Error(fmt::format("ggml type number {}", static_cast<uint32_t>(type)),
              "F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K or Q6_K",
              "use a file with one of these, e.g. the F16 or Q8_0 variant");
}

void dequantize_blocks(GgmlType type, std::span<const std::byte> blocks, std::span<float> out) {
  const auto [name, block, bytes] = traits(type);
  const auto count = static_cast<int64_t>(out.size()) / block;
  if (out.size() % static_cast<size_t>(block) != 0 ||
      blocks.size() / static_cast<size_t>(bytes) != static_cast<size_t>(count) ||
      blocks.size() % static_cast<size_t>(bytes) != 0) {
    throw Error(fmt::format("{} bytes of {} for {} weights", blocks.size(), name, out.size()),
                fmt::format("{} bytes for every {} weights", bytes, block),
                "check the tensor's shape");
  }
  const std::byte* in = blocks.data();
  switch (type) {
    case GgmlType::kF32:
      if (!out.empty()) std::memcpy(out.data(), in, blocks.size());
      return;
    case GgmlType::kF16:
      return decode<f16, 2, 1>(in, out.data(), count);
    case GgmlType::kBF16:
      return decode<bf16, 2, 1>(in, out.data(), count);
    case GgmlType::kQ4_0:
      return decode<q4_0, 18, 32>(in, out.data(), count);
    case GgmlType::kQ4_1:
      return decode<q4_1, 20, 32>(in, out.data(), count);
    case GgmlType::kQ8_0:
      return decode<q8_0, 34, 32>(in, out.data(), count);
    case GgmlType::kQ4_K:
      return decode<q4_k, 144, 256>(in, out.data(), count);
    case GgmlType::kQ6_K:
      return decode<q6_k, 210, 256>(in, out.data(), count);
  }
}

}  // namespace octet
